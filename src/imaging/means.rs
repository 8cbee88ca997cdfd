//! Means of pixels whose rows were added up: what many become when they become one.
//!
//! In: sums, channel by channel. Out: bytes. Never: a sum that 16 bits do not hold, which is why there is a [`MOST`].

/// Most pixels and rows that become one before the copy is scaled: their sums fit.
pub(super) const MOST: u32 = 64;

/// Puts `across` pixels of sums over `rows` rows together, and what is left at the end.
pub(super) fn opaque_means(sums: &[u16], across: usize, rows: usize, means: &mut [u8]) {
    let whole = sums.len() / (across * 3);
    let (cells, rest) = sums.split_at(whole * across * 3);
    let (means, last) = means.split_at_mut(whole * 3);
    match across {
        // What pictures of models come to, with the loops unrolled.
        1 => cells_of::<1>(cells, rows, means),
        2 => cells_of::<2>(cells, rows, means),
        _ => cells.chunks_exact(across * 3).zip(means.chunks_exact_mut(3)).for_each(|(cell, mean)| mean_of(cell, rows, mean)),
    }
    if !rest.is_empty() {
        mean_of(rest, rows, last);
    }
}

fn cells_of<const PIXELS: usize>(sums: &[u16], rows: usize, means: &mut [u8]) {
    if PIXELS * rows < 2 {
        sums.iter().zip(means).for_each(|(sum, to)| *to = (*sum).min(255) as u8);
        return;
    }
    let mean = Division::by(PIXELS * rows);
    if PIXELS == 1 {
        sums.iter().zip(means).for_each(|(sum, to)| *to = mean.of(*sum));
        return;
    }
    for (cell, to) in sums.chunks_exact(PIXELS * 3).zip(means.chunks_exact_mut(3)) {
        for (channel, to) in to.iter_mut().enumerate() {
            *to = mean.of((0..PIXELS).map(|pixel| cell[pixel * 3 + channel]).sum());
        }
    }
}

/// A division by multiplication in 16 bits, eight at once where there are vectors; rounded, and exact for the sums of up to 64 bytes.
#[derive(Clone, Copy)]
struct Division {
    half: u16,
    inverse: u16,
    shift: u32,
}

impl Division {
    /// For sums of `count` bytes, 2 to [`MOST`].
    fn by(count: usize) -> Self {
        let count = count.clamp(2, MOST as usize) as u32;
        // The largest shift with which the inverse, rounded up, still has 16 bits.
        let shift = (count - 1).ilog2();
        Self { half: (count / 2) as u16, inverse: (1_u32 << (16 + shift)).div_ceil(count) as u16, shift }
    }

    fn of(self, sum: u16) -> u8 {
        let high = ((u32::from(sum + self.half) * u32::from(self.inverse)) >> 16) as u16;
        (high >> self.shift).min(255) as u8
    }
}

fn mean_of(cell: &[u16], rows: usize, mean: &mut [u8]) {
    let count = (cell.len() / 3 * rows).max(1) as u32;
    for (channel, mean) in mean.iter_mut().enumerate() {
        let sum: u32 = cell.iter().skip(channel).step_by(3).map(|part| u32::from(*part)).sum();
        *mean = ((sum + count / 2) / count).min(255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_by_multiplication_rounds_as_one_by_division() {
        for count in 2..=MOST {
            let quick = Division::by(count as usize);
            for sum in 0..=count * 255 {
                assert_eq!(u32::from(quick.of(sum as u16)), (sum + count / 2) / count, "{sum} / {count}");
            }
        }
    }
}
