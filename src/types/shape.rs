//! Sizes and formats that image work leads to, without a pixel: the plan and the image work must agree on them.

use super::operation::{Color, TransformOp, Within};
use super::{ImageFormat, PixelSize, Ratio};

/// Returns the format that a transform writes: what `encode` says, otherwise that of the input.
///
/// A JPEG that is padded with a see-through colour becomes a PNG.
pub fn default_format(ops: &[TransformOp], input: ImageFormat) -> ImageFormat {
    let clear = |op: &TransformOp| match op {
        TransformOp::Pad { color: Color([_, _, _, alpha]), .. } | TransformOp::Extend { fill: Some(Color([_, _, _, alpha])), .. } => *alpha != 255,
        _ => false,
    };
    let asked = |op: &TransformOp| match op {
        TransformOp::Encode { format, .. } | TransformOp::Within(Within { format, .. }) => Some(*format),
        _ => None,
    };
    let own = if !input.has_alpha() && ops.iter().any(clear) { ImageFormat::Png } else { input };
    ops.iter().rev().find_map(asked).unwrap_or(own)
}

/// Returns the size of the largest part of `size` that has the ratio, to the nearest pixel.
pub fn cropped(size: PixelSize, ratio: Ratio) -> PixelSize {
    if is_wider(size, ratio) {
        PixelSize { width: side(size.height, ratio.width, ratio.height).min(size.width), height: size.height }
    } else {
        PixelSize { width: size.width, height: side(size.width, ratio.height, ratio.width).min(size.height) }
    }
}

/// Returns the smallest size of the ratio that holds all of `size`, to the nearest pixel.
pub fn padded(size: PixelSize, ratio: Ratio) -> PixelSize {
    if is_wider(size, ratio) {
        PixelSize { width: size.width, height: side(size.width, ratio.height, ratio.width).max(size.height) }
    } else {
        PixelSize { width: side(size.height, ratio.width, ratio.height).max(size.width), height: size.height }
    }
}

/// Returns the size after a resize: a side that is not given follows, to the nearest pixel.
pub fn resized(size: PixelSize, width: Option<u32>, height: Option<u32>) -> PixelSize {
    match (width, height) {
        (Some(width), Some(height)) => PixelSize { width: width.max(1), height: height.max(1) },
        (Some(width), None) => PixelSize { width: width.max(1), height: side(width, size.height, size.width) },
        (None, Some(height)) => PixelSize { width: side(height, size.width, size.height), height: height.max(1) },
        (None, None) => size,
    }
}

/// Returns the largest size of the same shape with no side over `side` and no more than `pixels` in all; `size` itself if it is that already.
pub fn within(size: PixelSize, side: Option<u32>, pixels: Option<u64>) -> PixelSize {
    let mut fitting = size;
    let longest = size.width.max(size.height);
    if let Some(most) = side.filter(|most| longest > *most) {
        fitting = PixelSize { width: shortened(size.width, most, longest), height: shortened(size.height, most, longest) };
    }
    if let Some(most) = pixels.filter(|most| fitting.pixels() > *most) {
        // The widest that fits: the height follows from the width, rounded down, so the area never passes the limit.
        let area = u128::from(most) * u128::from(size.width) / u128::from(size.height.max(1));
        let width = u32::try_from(area.isqrt()).unwrap_or(u32::MAX).max(1);
        fitting = PixelSize { width, height: shortened(size.height, width, size.width) };
    }
    fitting
}

/// Returns `length * times / over`, rounded down, at least 1.
fn shortened(length: u32, times: u32, over: u32) -> u32 {
    let exact = u64::from(length) * u64::from(times) / u64::from(over.max(1));
    u32::try_from(exact).unwrap_or(u32::MAX).max(1)
}

fn is_wider(size: PixelSize, ratio: Ratio) -> bool {
    u64::from(size.width) * u64::from(ratio.height) > u64::from(size.height) * u64::from(ratio.width)
}

/// Returns `length * times / over`, to the nearest, at least 1.
pub fn side(length: u32, times: u32, over: u32) -> u32 {
    let over = u64::from(over.max(1));
    let exact = (u64::from(length) * u64::from(times) + over / 2) / over;
    u32::try_from(exact).unwrap_or(u32::MAX).max(1)
}

/// Returns the size of a picture after all of `ops`.
pub fn transformed(size: PixelSize, ops: &[TransformOp]) -> PixelSize {
    ops.iter().fold(size, |size, op| match op {
        TransformOp::Crop { ratio, .. } => cropped(size, *ratio),
        TransformOp::Pad { ratio, .. } | TransformOp::Extend { ratio, .. } => padded(size, *ratio),
        TransformOp::Within(limits) => within(size, limits.side, limits.pixels),
        TransformOp::Resize { width, height } => resized(size, *width, *height),
        TransformOp::Overlay { .. } | TransformOp::Text { .. } | TransformOp::Encode { .. } => size,
    })
}

/// Returns whether a picture may be see-through after all of `ops`.
pub fn see_through(before: bool, ops: &[TransformOp]) -> bool {
    ops.iter().fold(before, |clear, op| match op {
        TransformOp::Pad { color, .. } => color.0[3] != 255,
        TransformOp::Extend { fill: Some(color), .. } => clear || color.0[3] != 255,
        TransformOp::Within(limits) => clear && limits.format.has_alpha(),
        _ => clear,
    })
}

/// Where everything is on a contact sheet, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetGrid {
    /// Cells across.
    pub columns: u32,
    /// Size of one cell.
    pub cell: PixelSize,
    /// Space between cells and around them.
    pub gap: u32,
    /// Height kept below each cell; 0 without captions.
    pub caption: u32,
    /// Size of the whole sheet.
    pub size: PixelSize,
}

impl SheetGrid {
    /// Lays out `count` cells.
    pub fn new(count: usize, captioned: bool, columns: u32, cell: PixelSize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let columns = columns.clamp(1, count.max(1));
        let gap = (cell.width.min(cell.height) / 16).max(4);
        let caption = if captioned { (cell.width / 9).clamp(14, 64) } else { 0 };
        let rows = count.div_ceil(columns).max(1);
        let span = |cells: u32, side: u32| cells.saturating_mul(side.saturating_add(gap)).saturating_add(gap);
        let size = PixelSize { width: span(columns, cell.width), height: span(rows, cell.height.saturating_add(caption)) };
        Self { columns, cell, gap, caption, size }
    }

    /// Returns the left and upper edge of a cell.
    pub fn corner(&self, index: usize) -> (u32, u32) {
        let (column, row) = (index as u32 % self.columns, index as u32 / self.columns);
        (self.gap + column * (self.cell.width + self.gap), self.gap + row * (self.cell.height + self.caption + self.gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_picture_is_made_smaller_only_as_far_as_the_limits_want() {
        let photo = PixelSize::new(6000, 4000);
        assert_eq!(within(photo, None, None), photo);
        assert_eq!(within(photo, Some(6000), Some(24_000_000)), photo);
        assert_eq!(within(photo, Some(4096), None), PixelSize::new(4096, 2730));
        assert_eq!(within(photo, None, Some(6_000_000)), PixelSize::new(3000, 2000));
        assert_eq!(within(PixelSize::new(30_000, 1), Some(100), None), PixelSize::new(100, 1));
    }

    proptest! {
        #[test]
        fn what_is_within_limits_is_within_them_and_no_larger_than_before(
            width in 1_u32..20_000, height in 1_u32..20_000, side in 64_u32..20_000, pixels in 20_000_u64..50_000_000
        ) {
            let size = PixelSize::new(width, height);
            let fitting = within(size, Some(side), Some(pixels));
            prop_assert!(fitting.width <= side && fitting.height <= side && fitting.pixels() <= pixels);
            prop_assert!(fitting.width <= width && fitting.height <= height);
            prop_assert_eq!(within(fitting, Some(side), Some(pixels)), fitting);
        }
    }
}
