//! What a step's job does, from what the author wrote: numbers and defaults of local work settled.

use std::sync::Arc;

use crate::steps::{OpSpec, Sheet, Transform};
use crate::types::operation::{Anchor, Color, TransformOp};
use crate::types::{LocalAction, PixelSize};

/// Width of an overlay unless the author says otherwise, in per cent.
const OVERLAY_WIDTH: u32 = 20;
/// Margin of overlays and texts unless the author says otherwise, in per cent.
const MARGIN: u32 = 4;
/// Height of letters unless the author says otherwise, in per cent.
const TEXT_SIZE: u32 = 5;
/// Size of a sheet's cell unless the author says otherwise.
const CELL: PixelSize = PixelSize::new(320, 320);

/// Returns the operations of a transform; `texts` are its rendered texts in order.
pub(super) fn transform(step: &Transform, texts: &[Arc<str>]) -> LocalAction {
    let mut texts = texts.iter();
    let mut overlays = 0..;
    let ops = step.ops.iter().map(|op| match op {
        OpSpec::Crop(shape) => TransformOp::Crop { ratio: shape.to, anchor: shape.anchor.unwrap_or_default() },
        OpSpec::Pad(pad) => TransformOp::Pad { ratio: pad.to, color: pad.color.unwrap_or(Color([255, 255, 255, 255])) },
        OpSpec::Resize(resize) => TransformOp::Resize { width: resize.width, height: resize.height },
        OpSpec::Encode(encode) => TransformOp::Encode { format: encode.format, quality: encode.quality },
        OpSpec::Overlay(overlay) => TransformOp::Overlay {
            input: overlays.next().unwrap_or_default(),
            anchor: overlay.at.unwrap_or(Anchor::BottomRight),
            width_permille: overlay.width.unwrap_or(OVERLAY_WIDTH) * 10,
            margin_permille: overlay.margin.unwrap_or(MARGIN) * 10,
            opacity: overlay.opacity.unwrap_or(100),
        },
        OpSpec::Text(text) => TransformOp::Text {
            text: texts.next().cloned().unwrap_or_else(|| Arc::from("")),
            anchor: text.at.unwrap_or(Anchor::Bottom),
            size_permille: text.size.unwrap_or(TEXT_SIZE) * 10,
            margin_permille: text.margin.unwrap_or(MARGIN) * 10,
            color: text.color.unwrap_or(Color([0, 0, 0, 255])),
        },
    });
    LocalAction::Transform { ops: ops.collect() }
}

/// Returns what a contact sheet of `count` pictures does.
pub(super) fn sheet(step: &Sheet, count: usize, labels: Arc<[Arc<str>]>) -> LocalAction {
    let columns = step.columns.unwrap_or_else(|| square(count));
    LocalAction::Sheet { columns, cell: step.cell.unwrap_or(CELL), labels }
}

/// Returns the columns of the squarest arrangement.
fn square(count: usize) -> u32 {
    (1..).find(|columns| (*columns as usize).pow(2) >= count).unwrap_or(1)
}
