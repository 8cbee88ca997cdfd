//! Where the boxes of a drawing stand, and the ways of the lines between them.
//!
//! In: how many boxes, who takes from whom. Out: columns and rows; each line's points. Pure geometry.
//! Never: a line through a box: one that passes a column has a lane of its own there.

/// What a layout is made with, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A box.
    pub width: f32,
    /// A box.
    pub height: f32,
    /// Between two columns.
    pub gap_x: f32,
    /// Between two boxes of a column.
    pub gap_y: f32,
    /// Height of a lane.
    pub lane: f32,
}

/// A box, or the lane of a line that passes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Box(usize),
    Lane(usize),
}

/// Places, from the upper left corner of everything.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Upper left corner of each box.
    pub boxes: Vec<(f32, f32)>,
    /// The points of each line: where it leaves, where it enters and leaves each lane, where it arrives.
    pub lines: Vec<Vec<(f32, f32)>>,
    /// Width of everything.
    pub width: f32,
    /// Height of everything.
    pub height: f32,
}

/// Rounds of ordering; more change nothing at the size of campaigns.
const ROUNDS: usize = 6;

/// Lays out boxes that take from others: each right of all that it takes. Makers stand before takers.
pub(super) fn layout(boxes: usize, lines: &[(usize, usize)], sizes: Sizes) -> Layout {
    let column = columns(boxes, lines);
    let count = column.iter().max().map_or(0, |last| last + 1);
    let mut items: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (place, column) in column.iter().enumerate() {
        items[*column].push(Item::Box(place));
    }
    for (line, (from, to)) in lines.iter().enumerate() {
        for passed in items.iter_mut().take(column[*to]).skip(column[*from] + 1) {
            passed.push(Item::Lane(line));
        }
    }
    order(&mut items, lines, &column);
    placed(boxes, &items, lines, &column, sizes)
}

/// Returns the column of each box: right of all that it takes; what takes nothing stands right before who takes it first.
fn columns(boxes: usize, lines: &[(usize, usize)]) -> Vec<usize> {
    let mut column: Vec<usize> = vec![0; boxes];
    for taker in 0..boxes {
        column[taker] = lines.iter().filter(|(_, to)| *to == taker).map(|(from, _)| column[*from] + 1).max().unwrap_or(0);
    }
    for maker in (0..boxes).filter(|maker| !lines.iter().any(|(_, to)| to == maker)) {
        let first = lines.iter().filter(|(from, _)| *from == maker).map(|(_, to)| column[*to]).min();
        column[maker] = first.map_or(0, |first| first.saturating_sub(1));
    }
    column
}

/// Orders each column by where its neighbours stand, so that few lines cross.
fn order(items: &mut [Vec<Item>], lines: &[(usize, usize)], column: &[usize]) {
    for round in 0..ROUNDS {
        let forward = round % 2 == 0;
        let places: Vec<usize> = if forward { (1..items.len()).collect() } else { (0..items.len().saturating_sub(1)).rev().collect() };
        for place in places {
            let beside = if forward { place - 1 } else { place + 1 };
            let height = |wanted: Item| items[beside].iter().position(|item| *item == wanted).map(|row| row as f32 / items[beside].len() as f32);
            // The item by which a line goes on in the column beside.
            let next = |line: usize| {
                let end = if forward { lines[line].0 } else { lines[line].1 };
                if column[end] == beside { Item::Box(end) } else { Item::Lane(line) }
            };
            let wanted = |item: &Item| {
                let near: Vec<f32> = match item {
                    Item::Lane(line) => height(next(*line)).into_iter().collect(),
                    Item::Box(own) => {
                        let own_lines = (0..lines.len()).filter(|line| if forward { lines[*line].1 == *own } else { lines[*line].0 == *own });
                        own_lines.filter_map(|line| height(next(line))).collect()
                    }
                };
                (!near.is_empty()).then(|| near.iter().sum::<f32>() / near.len() as f32)
            };
            let rows = items[place].len() as f32;
            let mut keyed: Vec<(f32, Item)> =
                items[place].iter().enumerate().map(|(row, item)| (wanted(item).unwrap_or(row as f32 / rows), *item)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            items[place] = keyed.into_iter().map(|(_, item)| item).collect();
        }
    }
}

/// Stacks each column, its middle at the middle of the tallest, and leads the lines.
fn placed(boxes: usize, items: &[Vec<Item>], lines: &[(usize, usize)], column: &[usize], sizes: Sizes) -> Layout {
    let tall = |item: &Item| if matches!(item, Item::Box(_)) { sizes.height } else { sizes.lane };
    let heights: Vec<f32> =
        items.iter().map(|items| items.iter().map(tall).sum::<f32>() + sizes.gap_y * items.len().saturating_sub(1) as f32).collect();
    let height = heights.iter().copied().fold(0.0, f32::max);
    let mut layout = Layout { boxes: vec![(0.0, 0.0); boxes], lines: vec![Vec::new(); lines.len()], width: 0.0, height };
    let mut lanes: Vec<Vec<(usize, f32)>> = vec![Vec::new(); lines.len()];
    for (place, items) in items.iter().enumerate() {
        let x = place as f32 * (sizes.width + sizes.gap_x);
        layout.width = x + sizes.width;
        let mut y = (height - heights[place]) / 2.0;
        for item in items {
            match item {
                Item::Box(own) => layout.boxes[*own] = (x, y),
                Item::Lane(line) => lanes[*line].push((place, y + sizes.lane / 2.0)),
            }
            y += tall(item) + sizes.gap_y;
        }
    }
    for (line, (from, to)) in lines.iter().enumerate() {
        let (out, into) = (layout.boxes[*from], layout.boxes[*to]);
        let points = &mut layout.lines[line];
        points.push((out.0 + sizes.width, out.1 + sizes.height / 2.0));
        for (place, y) in &lanes[line] {
            let x = *place as f32 * (sizes.width + sizes.gap_x);
            points.extend([(x, *y), (x + sizes.width, *y)]);
        }
        points.push((into.0, into.1 + sizes.height / 2.0));
    }
    debug_assert!(lines.iter().all(|(from, to)| column[*from] < column[*to]), "makers stand left of takers");
    layout
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZES: Sizes = Sizes { width: 100.0, height: 40.0, gap_x: 30.0, gap_y: 10.0, lane: 12.0 };

    #[test]
    fn a_chain_is_a_straight_line_and_a_late_source_stands_beside_its_taker() {
        let layout = layout(4, &[(0, 1), (1, 2), (3, 2)], SIZES);
        assert_eq!(layout.boxes[0].0, 0.0);
        assert_eq!(layout.boxes[2], (260.0, 25.0));
        assert_eq!(layout.boxes[3].0, 130.0, "a picture that only the third takes");
        assert_eq!((layout.width, layout.height), (360.0, 90.0));
    }

    proptest! {
        #[test]
        fn no_box_lies_on_another_and_no_line_goes_through_a_box(boxes in 1usize..12, picks in prop::collection::vec((0usize..12, 0usize..12), 0..20)) {
            let mut lines: Vec<(usize, usize)> = picks.into_iter().filter(|(from, to)| from < to && *to < boxes).collect();
            lines.sort_unstable();
            lines.dedup();
            let layout = layout(boxes, &lines, SIZES);
            let apart = |one: (f32, f32), other: (f32, f32)| (one.0 - other.0).abs() >= SIZES.width || (one.1 - other.1).abs() >= SIZES.height;
            for (place, one) in layout.boxes.iter().enumerate() {
                prop_assert!(layout.boxes[place + 1..].iter().all(|other| apart(*one, *other)));
                prop_assert!(one.0 >= 0.0 && one.1 >= -0.01 && one.0 + SIZES.width <= layout.width && one.1 + SIZES.height <= layout.height + 0.01);
            }
            for points in &layout.lines {
                prop_assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "lines go to the right");
                // Within a column a line stays level, in its lane: beside the boxes.
                for lane in points[1..points.len() - 1].chunks(2) {
                    prop_assert!(lane[0].1 == lane[1].1);
                    let crosses = |at: &(f32, f32)| at.0 == lane[0].0 && at.1 < lane[0].1 && lane[0].1 < at.1 + SIZES.height;
                    prop_assert!(!layout.boxes.iter().any(crosses));
                }
            }
        }
    }
}
