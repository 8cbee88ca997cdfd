//! Everything that determines a picture, told field by field: once for the key, once for `why`.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Input, Job, JobIx, Plan};
use crate::ledger::Recipe;
use crate::picks::Rejected;
use crate::types::digest::FieldHasher;
use crate::types::operation::{LocalAction, TransformOp};
use crate::types::{Fields, JobKey, Operation};

/// Bump when the meaning of a field changes, so that old pictures are not taken for new ones.
const DOMAIN: &str = "callsheet job 1";

/// Version of our own image work; part of the key of local jobs, because a better resize is another picture.
const IMAGING: &str = "1";

/// Most begun hashes that are kept, 2 KiB each: a ladder has tens of rungs, and a prompt that stands alone is not kept at all.
const KEPT: usize = 1024;

/// Takes the keys of one step's jobs. Jobs that share a prompt differ in their inputs only, which come last: what stands before
/// them is hashed once.
#[derive(Default)]
pub(super) struct Keys {
    /// By the prompt's address and the take; the prompt is held, so that its address stays its own.
    begun: HashMap<(*const u8, Option<u32>), Begun>,
}

/// A hash of all but the inputs, with the prompt in it.
struct Begun {
    hasher: FieldHasher,
    _prompt: Arc<str>,
}

impl Keys {
    /// Returns the identity of a job that is made from pictures with these keys.
    pub(super) fn key(&mut self, job: &Job, take: Option<u32>, inputs: impl Iterator<Item = (Input, JobKey)>, refused: &[Rejected]) -> JobKey {
        let mut hasher = self.begun(job, take);
        describe_inputs(inputs, &mut hasher);
        describe_refusals(refused, &mut hasher);
        JobKey(hasher.finish())
    }

    fn begun(&mut self, job: &Job, take: Option<u32>) -> FieldHasher {
        let place = (job.prompt.as_ptr(), take);
        if let Some(begun) = self.begun.get(&place) {
            return begun.hasher.branch();
        }
        let mut hasher = FieldHasher::new(DOMAIN);
        describe_own(job, take, &mut hasher);
        // Held by nobody but this job: no other will ask for it.
        let is_shared = matches!(job.operation, Operation::Paid(_)) && Arc::strong_count(&job.prompt) > 1;
        if is_shared && self.begun.len() < KEPT {
            hasher.settle();
            self.begun.insert(place, Begun { hasher: hasher.branch(), _prompt: Arc::clone(&job.prompt) });
        }
        hasher
    }
}

/// Returns the named ingredients of a job's key, as people read them.
pub fn recipe(plan: &Plan, ix: JobIx) -> Recipe {
    let mut recipe = Vec::new();
    tell_recipe(plan, ix, &mut |name, value| recipe.push((name.to_owned(), value.to_owned())));
    recipe
}

/// Tells the named ingredients of a job's key, as people read them, one after the other.
pub fn tell_recipe(plan: &Plan, ix: JobIx, tell: &mut dyn FnMut(&str, &str)) {
    struct Told<'a>(&'a mut dyn FnMut(&str, &str));

    impl Fields for Told<'_> {
        fn field(&mut self, name: &str, value: &[u8]) {
            (self.0)(name, &String::from_utf8_lossy(value));
        }
    }

    let mut told = Told(tell);
    describe_own(plan.job(ix), plan.take_of(ix), &mut told);
    if matches!(plan.job(ix).operation, Operation::Local(LocalAction::Pick { chosen: Some(_) })) {
        return;
    }
    describe_inputs(plan.inputs(ix).into_iter().map(|input| (input, plan.job(input.from).key)), &mut told);
    describe_refusals(plan.refused.get(&ix).map_or(&[], Vec::as_slice), &mut told);
}

/// Tells the pictures that a person turned down: with one more it is another job, and what is made from it too.
fn describe_refusals(refused: &[Rejected], fields: &mut dyn Fields) {
    for rejected in refused {
        fields.field("rejected", rejected.picture.to_string().as_bytes());
    }
}

/// Tells all but the inputs. Of a step's paid jobs only the prompt and the take differ here, which [`Keys`] relies on.
fn describe_own(job: &Job, take: Option<u32>, fields: &mut dyn Fields) {
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
}

fn describe_inputs(inputs: impl Iterator<Item = (Input, JobKey)>, fields: &mut dyn Fields) {
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
        LocalAction::Pick { chosen } => {
            fields.field("operation", b"pick");
            // The picture itself: a choice is the same whichever shot it came from.
            fields.field("picture", chosen.map_or("not chosen yet".to_owned(), |picture| picture.to_string()).as_bytes());
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
