//! Everything that determines a picture, told field by field: once for the key, once for `why`.

use super::{Input, Job, JobIx, Plan};
use crate::ledger::Recipe;
use crate::types::digest::FieldHasher;
use crate::types::operation::{LocalAction, TransformOp};
use crate::types::{Fields, JobKey, Operation};

/// Bump when the meaning of a field changes, so that old pictures are not taken for new ones.
const DOMAIN: &str = "callsheet job 1";

/// Version of our own image work; part of the key of local jobs, because a better resize is another picture.
const IMAGING: &str = "1";

/// Returns the identity of a job that is made from pictures with these keys.
pub(super) fn key(job: &Job, take: Option<u32>, inputs: &[(Input, JobKey)]) -> JobKey {
    let mut hasher = FieldHasher::new(DOMAIN);
    describe(job, take, inputs, &mut hasher);
    JobKey(hasher.finish())
}

/// Returns the named ingredients of a job's key, as people read them.
pub fn recipe(plan: &Plan, ix: JobIx) -> Recipe {
    struct Listed(Recipe);

    impl Fields for Listed {
        fn field(&mut self, name: &str, value: &[u8]) {
            self.0.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
        }
    }

    let inputs: Vec<(Input, JobKey)> = plan.inputs(ix).into_iter().map(|input| (input, plan.job(input.from).key)).collect();
    let mut listed = Listed(Vec::new());
    describe(plan.job(ix), plan.take_of(ix), &inputs, &mut listed);
    listed.0
}

fn describe(job: &Job, take: Option<u32>, inputs: &[(Input, JobKey)], fields: &mut dyn Fields) {
    match &job.operation {
        Operation::Paid(paid) => {
            fields.field("provider", paid.provider.as_bytes());
            fields.field("operation", paid.action.as_str().as_bytes());
            fields.field("model", paid.model.as_bytes());
            fields.field("prompt", job.prompt.as_bytes());
            paid.settings.describe(fields);
            // The first take is what a step without takes makes: asking for three later buys only two more.
            if let Some(take) = take.filter(|take| *take > 1) {
                fields.field("take", take.to_string().as_bytes());
            }
        }
        Operation::Local(local) => describe_local(local, fields),
    }
    for (input, key) in inputs {
        fields.field(&input.role.label(), key.to_string().as_bytes());
    }
}

fn describe_local(local: &LocalAction, fields: &mut dyn Fields) {
    match local {
        // The path is not part of the picture: a file that moves is the same file.
        LocalAction::Load { digest, .. } => {
            fields.field("operation", b"load");
            fields.field("file", digest.to_string().as_bytes());
        }
        LocalAction::Transform { ops } => {
            fields.field("operation", b"transform");
            fields.field("imaging", IMAGING.as_bytes());
            for op in ops.iter() {
                fields.field(op_name(op), op_text(op).as_bytes());
            }
        }
        LocalAction::Sheet { columns, cell, labels } => {
            fields.field("operation", b"sheet");
            fields.field("imaging", IMAGING.as_bytes());
            fields.field("columns", columns.to_string().as_bytes());
            fields.field("cell", cell.to_string().as_bytes());
            for label in labels.iter() {
                fields.field("label", label.as_bytes());
            }
        }
    }
}

fn op_name(op: &TransformOp) -> &'static str {
    match op {
        TransformOp::Crop { .. } => "crop",
        TransformOp::Pad { .. } => "pad",
        TransformOp::Resize { .. } => "resize",
        TransformOp::Overlay { .. } => "overlay",
        TransformOp::Text { .. } => "text",
        TransformOp::Encode { .. } => "encode",
    }
}

fn op_text(op: &TransformOp) -> String {
    let side = |side: &Option<u32>| side.map_or("auto".to_owned(), |side| side.to_string());
    match op {
        TransformOp::Crop { ratio, anchor } => format!("{ratio} {anchor:?}"),
        TransformOp::Pad { ratio, color } => format!("{ratio} {color}"),
        TransformOp::Resize { width, height } => format!("{}x{}", side(width), side(height)),
        TransformOp::Overlay { input, anchor, width_permille, margin_permille, opacity } => {
            format!("overlay {} {anchor:?} width {width_permille} margin {margin_permille} opacity {opacity}", input + 1)
        }
        TransformOp::Text { text, anchor, size_permille, margin_permille, color } => {
            format!("{text:?} {anchor:?} size {size_permille} margin {margin_permille} {color}")
        }
        TransformOp::Encode { format, quality } => match quality {
            Some(quality) => format!("{format} quality {quality}"),
            None => format.to_string(),
        },
    }
}
