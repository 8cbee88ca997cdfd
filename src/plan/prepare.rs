//! What inserted steps do, shot by shot: pictures made ones that a model takes, results brought to the author's shape.
//!
//! In: an inserted step, what is known of its picture. Out: operations, or nothing where the picture is taken as it is; and what was done,
//! for people. Never: a change that is not told.

use std::sync::Arc;

use serde::Serialize;

use super::{Job, JobIx, Plan};
use crate::campaign::{ResultWork, SourceWork};
use crate::catalog::{InputPicture, InputUnfit};
use crate::spec::Asset;
use crate::types::fit::percent;
use crate::types::operation::{Anchor, Color, TransformOp};
use crate::types::shape::{cropped, padded, transformed};
use crate::types::{Fit, ImageFormat, InputRole, Marks, PixelSize, Profile, Ratio};

/// Quality of a lossy file that stands between the model and the author's shape: what it loses is not to be seen.
const BETWEEN: u8 = 95;

/// New area of a mask: nothing is painted there.
const KEEP: Color = Color([255, 255, 255, 255]);

/// What is done to a source before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparation {
    /// The shot that does it.
    pub job: JobIx,
    /// The author's file; `None` for a picture of another step.
    pub file: Option<Arc<str>>,
    /// What it was.
    pub before: PixelSize,
    /// Bytes of the file, if it is one.
    pub len: Option<u64>,
    /// Its format.
    pub from: ImageFormat,
    /// What it carries besides pixels.
    pub marks: Marks,
    /// Who takes it.
    pub taker: Arc<str>,
    /// What it is there.
    pub role: InputRole,
    /// What is done.
    pub ops: Arc<[TransformOp]>,
}

/// Returns what is done to a picture of `maker` before it is sent; nothing if it is taken as it is.
///
/// # Errors
/// Why it cannot be made one that the model takes.
pub(super) fn source(work: &SourceWork, maker: &Job, asset: Option<&Asset>, see_through: bool) -> Result<Vec<TransformOp>, InputUnfit> {
    let is_mask = work.role == InputRole::Mask;
    let mut ops = work.shaping.map_or_else(Vec::new, |shaping| {
        let fill = if is_mask { Some(KEEP) } else { None };
        match shaping.fit {
            // First to the shape that was asked for, then on to the one that is sent: taking the second off again takes nothing else.
            Fit::Pad(color) => extensions(maker.size, [shaping.asked, shaping.sent], fill.or(color)),
            Fit::Crop(anchor) => crop(maker.size, shaping.sent, anchor).into_iter().collect(),
            Fit::Refuse => Vec::new(),
        }
    });
    let marks = asset.map_or_else(Marks::default, |asset| asset.marks);
    let picture = InputPicture {
        format: asset.map_or_else(|| super::jobs::format_of(&maker.path), |asset| asset.info.format),
        size: transformed(maker.size, &ops),
        see_through: see_through || is_mask,
        len: asset.map(|asset| asset.len),
        turned: marks.turned,
        profile: marks.profile,
        is_mask,
    };
    let within = if ops.is_empty() { work.limits.demand(&picture)? } else { Some(work.limits.hold(&picture)?) };
    ops.extend(within.map(TransformOp::Within));
    Ok(ops)
}

/// Returns what brings a picture of this size and format to the shape that the author asked for.
pub(super) fn result(work: &ResultWork, size: PixelSize, format: ImageFormat) -> Vec<TransformOp> {
    let shaping = work.shaping;
    let mut ops = match shaping.fit {
        Fit::Pad(_) if work.unpads => crop(size, shaping.asked, Anchor::Center).into_iter().collect(),
        Fit::Pad(color) => extensions(size, [shaping.asked], color),
        Fit::Crop(anchor) => crop(size, shaping.asked, anchor).into_iter().collect(),
        Fit::Refuse => Vec::new(),
    };
    let quality = (format == ImageFormat::Jpeg).then_some(BETWEEN);
    ops.push(TransformOp::Encode { format, quality });
    ops
}

fn extensions<const N: usize>(mut size: PixelSize, shapes: [Ratio; N], fill: Option<Color>) -> Vec<TransformOp> {
    let mut ops = Vec::new();
    for ratio in shapes {
        let larger = padded(size, ratio);
        if larger != size {
            ops.push(TransformOp::Extend { ratio, fill });
            size = larger;
        }
    }
    ops
}

fn crop(size: PixelSize, ratio: Ratio, anchor: Anchor) -> Option<TransformOp> {
    (cropped(size, ratio) != size).then_some(TransformOp::Crop { ratio, anchor })
}

/// What is done to one source, in words: `teapot.jpg: 6000x4000, 14 MB -> 4096x2731 for kie/gpt-image-2`.
impl std::fmt::Display for Preparation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", crate::types::visible(file))?;
        }
        write!(f, "{}", self.before)?;
        if let Some(len) = self.len {
            write!(f, ", {}", megabytes(len))?;
        }
        write!(f, " -> {}", self.after())?;
        let changes = self.changes();
        if !changes.is_empty() {
            write!(f, ", {}", changes.join(", "))?;
        }
        write!(f, " for {}", crate::types::visible(&self.taker))?;
        if self.role != InputRole::Image { write!(f, " as its {}", self.role.label()) } else { Ok(()) }
    }
}

impl Preparation {
    /// Returns its size as it is sent; smaller still if its bytes are too many.
    pub fn after(&self) -> PixelSize {
        transformed(self.before, &self.ops)
    }

    /// Returns what else is done besides a change of its size, in words.
    pub fn changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut size = self.before;
        for op in self.ops.iter() {
            let next = transformed(size, std::slice::from_ref(op));
            match op {
                TransformOp::Extend { ratio, .. } => {
                    changes.push(format!("padded to {ratio} (+{})", percent(share(next.pixels() - size.pixels().min(next.pixels()), size))));
                }
                TransformOp::Crop { ratio, .. } => {
                    changes.push(format!("cropped to {ratio} (-{})", percent(share(size.pixels() - next.pixels().min(size.pixels()), size))));
                }
                TransformOp::Within(within) => {
                    if within.format != self.from {
                        changes.push(format!("as {}", within.format));
                    }
                    match within.bytes {
                        Some(bytes) if self.len.is_some_and(|len| len > bytes) => changes.push(format!("under {}", megabytes(bytes))),
                        Some(bytes) if self.len.is_none() => changes.push(format!("made smaller if over {}", megabytes(bytes))),
                        _ => {}
                    }
                }
                _ => {}
            }
            size = next;
        }
        if self.marks.turned {
            changes.push("turned upright".to_owned());
        }
        if self.marks.profile == Profile::Other && self.role != InputRole::Mask {
            changes.push("colours to sRGB".to_owned());
        }
        if self.marks.c2pa {
            changes.push("without its C2PA manifest".to_owned());
        }
        changes
    }
}

/// Returns a number of pixels as hundredths of a per cent of a picture's.
fn share(pixels: u64, of: PixelSize) -> u64 {
    (pixels * 10_000 + of.pixels() / 2) / of.pixels().max(1)
}

/// Says a length in megabytes, or kilobytes where it is less than one.
fn megabytes(len: u64) -> String {
    let tenths = (len + 50_000) / 100_000;
    match len {
        0..1_000_000 => format!("{} kB", len.div_ceil(1000)),
        1_000_000..10_000_000 if !tenths.is_multiple_of(10) => format!("{}.{} MB", tenths / 10, tenths % 10),
        _ => format!("{} MB", (len + 500_000) / 1_000_000),
    }
}

/// What becomes of the shape of a step's pictures, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reshaped {
    /// The paid step.
    pub step: String,
    /// Shape that the author asked for.
    pub asked: Ratio,
    /// Shape that the model is asked for.
    pub sent: Ratio,
    /// `pad` or `crop`, as the author wrote it.
    pub fit: Fit,
    /// Who is asked.
    pub model: String,
    /// Hundredths of a per cent of a picture's pixels that are cut off from what the model made.
    pub result_lost: u32,
    /// Hundredths of a per cent of a picture's pixels that are added to what the model made.
    pub result_added: u32,
    /// Whether what is cut off is only what was added before the picture was sent.
    pub takes_off_padding: bool,
}

impl std::fmt::Display for Reshaped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, asked, sent, model, .. } = self;
        write!(f, "`{step}` asks {model} for {sent}, the nearest it has to {asked}; ")?;
        match (self.result_lost, self.takes_off_padding) {
            (0, _) => write!(f, "what comes is padded to {asked}: {} added, nothing lost", percent(self.result_added.into())),
            (lost, true) => write!(f, "its pictures are padded before, and that comes off again: {} of what comes", percent(lost.into())),
            (lost, false) => write!(f, "what comes is cropped to {asked}: {} lost", percent(lost.into())),
        }
    }
}

/// Returns what becomes of the shapes of a plan's paid pictures, in the plan's order.
pub fn reshaped(plan: &Plan) -> Vec<Reshaped> {
    let of_step = |step: &super::PlannedStep| {
        let Some(crate::campaign::Inserted::Result(work)) = &step.inserted else { return None };
        let ix = JobIx(step.jobs.clone().next()?);
        let paid = plan.inputs(ix).first()?.from;
        let (before, after) = (plan.job(paid).size, plan.job(ix).size);
        let hundredths = |pixels: u64| u32::try_from(share(pixels, before)).unwrap_or(u32::MAX);
        Some(Reshaped {
            step: work.serves.to_string(),
            asked: work.shaping.asked,
            sent: work.shaping.sent,
            fit: work.shaping.fit,
            model: plan.step_of(paid).model.as_deref().unwrap_or_default().to_owned(),
            result_lost: hundredths(before.pixels().saturating_sub(after.pixels())),
            result_added: hundredths(after.pixels().saturating_sub(before.pixels())),
            takes_off_padding: work.unpads,
        })
    };
    plan.steps.iter().filter_map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Shaping;
    use crate::types::operation::Within;

    fn preparation(ops: Vec<TransformOp>) -> Preparation {
        Preparation {
            job: JobIx(0),
            file: Some("teapot.jpg".into()),
            before: PixelSize::new(6000, 4000),
            len: Some(14_200_000),
            from: ImageFormat::Jpeg,
            marks: Marks::default(),
            taker: "kie/gpt-image-2".into(),
            role: InputRole::Image,
            ops: ops.into(),
        }
    }

    fn within(format: ImageFormat, side: Option<u32>, bytes: Option<u64>) -> TransformOp {
        TransformOp::Within(Within { format, side, pixels: None, bytes })
    }

    #[test]
    fn what_is_done_to_a_source_is_one_line() {
        let small = preparation(vec![within(ImageFormat::Jpeg, Some(4096), None)]);
        let photo = Preparation {
            marks: Marks { turned: true, profile: Profile::Other, c2pa: true },
            from: ImageFormat::Png,
            ..preparation(vec![within(ImageFormat::Jpeg, None, Some(10_000_000))])
        };
        let mask = Preparation {
            file: None,
            len: None,
            role: InputRole::Mask,
            ..preparation(vec![TransformOp::Extend { ratio: Ratio::new(1, 1), fill: Some(KEEP) }, within(ImageFormat::Png, None, Some(4_000_000))])
        };
        insta::assert_snapshot!([small, photo, mask].map(|done| done.to_string()).join("\n"), @"
        teapot.jpg: 6000x4000, 14 MB -> 4096x2730 for kie/gpt-image-2
        teapot.jpg: 6000x4000, 14 MB -> 6000x4000, as jpeg, under 10 MB, turned upright, colours to sRGB, without its C2PA manifest for kie/gpt-image-2
        6000x4000 -> 6000x6000, padded to 1:1 (+50 %), as png, made smaller if over 4 MB for kie/gpt-image-2 as its mask
        ");
        assert_eq!(
            [999_999, 1_000_000, 1_250_000, 9_960_000, 14_200_000, 512].map(megabytes),
            ["1000 kB", "1 MB", "1.3 MB", "10 MB", "14 MB", "1 kB"]
        );
    }

    #[test]
    fn padding_that_was_added_is_all_that_a_padded_edit_loses() {
        let shaping = Shaping { asked: Ratio::new(4, 5), sent: Ratio::new(3, 4), fit: Fit::Pad(None) };
        for size in [PixelSize::new(800, 1000), PixelSize::new(1500, 1000), PixelSize::new(500, 1000), PixelSize::new(1024, 1024)] {
            let sent = transformed(size, &extensions(size, [shaping.asked, shaping.sent], None));
            let work = ResultWork { serves: "surface".into(), shaping, unpads: true };
            let back = transformed(sent, &result(&work, sent, ImageFormat::Png));
            assert!(back.width >= size.width && back.height >= size.height, "{size} -> {sent} -> {back}");
        }
    }
}
