//! Cells of a step: coordinates on its axes, counted like the digits of a number, and which job stands where.

/// Coordinates to jobs of one step.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// How many values each axis has.
    dims: Vec<u32>,
    /// How far apart neighbours on each axis stand in the linear order.
    strides: Vec<usize>,
    /// The job in each cell; `DROPPED` where `when` or `exclude` left none.
    jobs: Vec<u32>,
}

/// Marks a cell without a job.
const DROPPED: u32 = u32::MAX;

impl Cells {
    /// Makes room for all combinations of axes with `dims` values.
    pub(super) fn new(dims: Vec<u32>) -> Self {
        let mut strides = vec![1usize; dims.len()];
        for axis in (0..dims.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * dims[axis + 1] as usize;
        }
        let count = dims.iter().map(|dim| *dim as usize).product();
        Self { dims, strides, jobs: vec![DROPPED; count] }
    }

    /// Returns how many cells there are.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns how far apart neighbours on an axis stand.
    pub(super) fn stride(&self, axis: usize) -> usize {
        self.strides[axis]
    }

    /// Returns how many values an axis has.
    pub(super) fn dim(&self, axis: usize) -> u32 {
        self.dims[axis]
    }

    /// Puts a job into a cell.
    pub(super) fn put(&mut self, cell: usize, job: u32) {
        self.jobs[cell] = job;
    }

    /// Returns the job of a cell.
    pub(super) fn job(&self, cell: usize) -> Option<u32> {
        self.jobs.get(cell).copied().filter(|job| *job != DROPPED)
    }

    /// Moves coordinates to the next cell: the last axis runs fastest.
    pub(super) fn advance(&self, coordinates: &mut [u32]) {
        for axis in (0..coordinates.len()).rev() {
            coordinates[axis] += 1;
            if coordinates[axis] < self.dims[axis] {
                return;
            }
            coordinates[axis] = 0;
        }
    }
}

/// Finds a maker's cell from a taker's coordinates.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    /// For each axis of the maker that the taker has: its position at the taker, its stride at the maker.
    shared: Vec<(usize, usize)>,
    /// For each axis of the maker that the taker gathers: its number of values, its stride at the maker.
    gathered: Vec<(u32, usize)>,
}

impl Projection {
    /// Relates a maker with `axes` and `cells` to a taker with `own` axes.
    pub(super) fn new(maker: &[usize], cells: &Cells, own: &[usize]) -> Self {
        let mut shared = Vec::new();
        let mut gathered = Vec::new();
        for (position, axis) in maker.iter().enumerate() {
            match own.iter().position(|own| own == axis) {
                Some(at_taker) => shared.push((at_taker, cells.stride(position))),
                None => gathered.push((cells.dim(position), cells.stride(position))),
            }
        }
        Self { shared, gathered }
    }

    /// Returns the maker's first cell for the taker's coordinates; the only one, unless axes are gathered.
    pub(super) fn cell(&self, coordinates: &[u32]) -> usize {
        self.shared.iter().map(|(position, stride)| coordinates[*position] as usize * stride).sum()
    }

    /// Returns all of the maker's cells for the taker's coordinates, the last gathered axis fastest.
    pub(super) fn gathered(&self, coordinates: &[u32]) -> Vec<usize> {
        let mut cells = vec![self.cell(coordinates)];
        for (dim, stride) in &self.gathered {
            cells = cells.into_iter().flat_map(|cell| (0..*dim as usize).map(move |value| cell + value * stride)).collect();
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taker_with_one_more_axis_finds_the_cell_of_its_maker() {
        let hero = Cells::new(vec![3, 2]);
        let projection = Projection::new(&[7, 8], &hero, &[7, 8, 9]);
        assert_eq!(projection.cell(&[2, 1, 4]), 5);
        assert_eq!(projection.gathered(&[2, 1, 4]), [5]);
    }

    #[test]
    fn a_sheet_gathers_in_the_order_of_the_axes() {
        let surface = Cells::new(vec![2, 2, 3]);
        let projection = Projection::new(&[7, 8, 9], &surface, &[7]);
        assert_eq!(projection.gathered(&[1]), [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn coordinates_count_like_digits() {
        let cells = Cells::new(vec![2, 2]);
        let mut coordinates = vec![0, 0];
        let mut seen = Vec::new();
        for _ in 0..cells.len() {
            seen.push((coordinates[0], coordinates[1]));
            cells.advance(&mut coordinates);
        }
        assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    }
}
