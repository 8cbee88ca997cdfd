//! Steps that stand in a campaign without having been written: free local work before a picture is sent and after one has come.
//!
//! In: a paid step as it is asked of its model. Out: further [`Step`]s around it, named after it: `surface.image`, `surface.fit`.
//! Never: a paid step; a change of what the author named, which is what others take their pictures from.

use std::sync::Arc;

use super::models::Settled;
use super::{Prompt, Step, StepSource};
use crate::catalog::InputLimits;
use crate::steps::{StepSpec, Transform};
use crate::types::{Check, FieldPath, InputRole, Shaping};

/// What a step that the author did not write is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// Makes a picture one that a model takes, before it is sent. Only the shots of it that are needed stand in the plan.
    Source(SourceWork),
    /// Brings what a model made to the shape that the author asked for.
    Result(ResultWork),
}

impl Inserted {
    /// Returns the paid step that it serves.
    pub fn serves(&self) -> &Arc<str> {
        match self {
            Self::Source(work) => &work.serves,
            Self::Result(work) => &work.serves,
        }
    }

    /// Returns the word for its kind in tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Source(_) => "prepare",
            Self::Result(_) => "fit",
        }
    }
}

/// Makes a picture one that a model takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWork {
    /// The paid step that it serves.
    pub serves: Arc<str>,
    /// What the picture is there.
    pub role: InputRole,
    /// Shapes to bring it to, if the model is asked for another one than the author asked for.
    pub shaping: Option<Shaping>,
    /// What the model takes.
    pub limits: InputLimits,
    /// Who takes it: `kie/gpt-image-2`.
    pub taker: Arc<str>,
}

/// Brings what a model made to the shape that the author asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultWork {
    /// The paid step that it serves.
    pub serves: Arc<str>,
    /// From which shape to which.
    pub shaping: Shaping,
    /// Whether the padding of the pictures that were sent comes off again: what was asked for is inside of what came.
    pub unpads: bool,
}

/// Returns a step that prepares a picture of `maker` for the paid step called `serves`.
pub(super) fn source(serves: &Arc<str>, at: &FieldPath, maker: (usize, &Step), role: InputRole, settled: &Settled) -> Step {
    let (place, maker) = maker;
    let name = format!("{serves}.{}", role.label().replace(' ', "-"));
    let work = SourceWork {
        serves: Arc::clone(serves),
        role,
        // Further references keep their shape: it is the picture that is edited, and its mask, which make that of the result.
        shaping: settled.shaping.filter(|_| matches!(role, InputRole::Image | InputRole::Mask)),
        limits: settled.input.clone().unwrap_or_default(),
        taker: Arc::from(format!("{}/{}", settled.paid.provider, settled.paid.model)),
    };
    step(Arc::from(name), at, maker.axes.clone(), place, &maker.name, Inserted::Source(work))
}

/// Returns the step that brings the pictures of `paid`, which stands at `place`, to the shape that was asked for.
pub(super) fn result(paid: &mut Step, place: usize, shaping: Shaping) -> Step {
    let unpads = paid.sources.iter().any(|source| source.role == InputRole::Image) && matches!(shaping.fit, crate::types::Fit::Pad(_));
    let work = ResultWork { serves: Arc::clone(&paid.name), shaping, unpads };
    let mut step = step(Arc::from(format!("{}.fit", paid.name)), &paid.at, paid.axes.clone(), place, &paid.name, Inserted::Result(work));
    // The file at the author's place is the one in the author's shape; the one as bought stands at the default place. So it is that file
    // whose shape is checked, too.
    step.path = paid.path.take();
    step.checks = paid.checks.extract_if(.., |check| matches!(check, Check::Aspect(_))).collect();
    step
}

fn step(name: Arc<str>, at: &FieldPath, axes: Vec<usize>, place: usize, image: &str, inserted: Inserted) -> Step {
    let spec = Transform {
        image: image.to_owned(),
        ops: Vec::new(),
        over: Vec::new(),
        check: Default::default(),
        when: None,
        exclude: Vec::new(),
        path: None,
    };
    Step {
        name,
        spec: StepSpec::Transform(spec),
        at: at.clone(),
        axes,
        across: Vec::new(),
        sources: vec![StepSource { step: place, role: InputRole::Image, prepared: None }],
        paid: None,
        prompt: Prompt::default(),
        baseline: None,
        texts: Vec::new(),
        path: None,
        checks: Vec::new(),
        rerolls: 0,
        when: None,
        exclude: Vec::new(),
        inserted: Some(inserted),
        is_shaped: false,
    }
}

/// Returns the place of the step whose pictures are meant by `name`: those that have the shape that was asked for, if the author's own step
/// does not make them.
pub(super) fn meant(steps: &[Step], name: &str) -> Option<usize> {
    let shaped = steps.iter().position(|step| matches!(&step.inserted, Some(Inserted::Result(work)) if *work.serves == *name));
    shaped.or_else(|| steps.iter().position(|step| step.inserted.is_none() && *step.name == *name))
}

/// Returns the step that the author wrote: the one served, for a step that only shapes its pictures.
pub(super) fn written(steps: &[Step], place: usize) -> &Step {
    match &steps[place].inserted {
        Some(Inserted::Result(_)) => &steps[steps[place].sources[0].step],
        _ => &steps[place],
    }
}
