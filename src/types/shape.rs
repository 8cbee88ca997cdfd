//! Sizes and formats that image work leads to, without a pixel: the plan and the image work must agree on them.

use super::operation::{Color, TransformOp};
use super::{ImageFormat, PixelSize, Ratio};

/// Returns the format that a transform writes: what `encode` says, otherwise that of the input.
///
/// A JPEG that is padded with a see-through colour becomes a PNG.
pub fn default_format(ops: &[TransformOp], input: ImageFormat) -> ImageFormat {
    let clear = |op: &TransformOp| matches!(op, TransformOp::Pad { color: Color([_, _, _, alpha]), .. } if *alpha != 255);
    let asked = |op: &TransformOp| match op {
        TransformOp::Encode { format, .. } => Some(*format),
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
        TransformOp::Pad { ratio, .. } => padded(size, *ratio),
        TransformOp::Resize { width, height } => resized(size, *width, *height),
        TransformOp::Overlay { .. } | TransformOp::Text { .. } | TransformOp::Encode { .. } => size,
    })
}

/// Returns whether a picture may be see-through after all of `ops`.
pub fn see_through(before: bool, ops: &[TransformOp]) -> bool {
    ops.iter().fold(before, |clear, op| match op {
        TransformOp::Pad { color, .. } => color.0[3] != 255,
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
