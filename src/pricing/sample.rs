//! A small plan for tests: two products, a hero each, three surfaces of each hero, a delivery of each surface.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::campaign::Budget;
use crate::catalog::{Catalog, PriceBook, builtin};
use crate::ledger::{Artifact, History, JobState, KnownJob};
use crate::plan::{Job, JobIx, Plan, PlannedAxis, PlannedStep, Selection, Worklist, worklist};
use crate::types::operation::TransformOp;
use crate::types::{
    Action, AttemptNo, BlobRef, Digest, DocId, ImageFormat, ImageInfo, InputRole, JobKey, LocalAction, Operation, Paid, PixelSize, Ratio, Settings,
};

const SIZE: PixelSize = PixelSize::new(1024, 1280);

/// Makes the plan; `heroes` is the number of products.
pub(crate) fn plan(heroes: u32) -> Plan {
    let names = ["teapot", "mug", "vase", "bowl"];
    let keys: Arc<[Arc<str>]> =
        (0..heroes).map(|ix| names.get(ix as usize).map_or_else(|| format!("sku-{ix}").into(), |name| Arc::from(*name))).collect();
    let surfaces: Arc<[Arc<str>]> = ["travertine", "oak", "linen"].map(Arc::from).into();
    let axes = vec![PlannedAxis { name: "sku".into(), keys, is_take: false }, PlannedAxis { name: "surface".into(), keys: surfaces, is_take: false }];
    let settings = Settings { aspect: Some(Ratio::new(4, 5)), resolution: Some("1K".into()), ..Settings::default() };
    let paid = |action| Operation::Paid(Arc::new(Paid { provider: "kie".into(), model: "gpt-image-2".into(), action, settings: settings.clone() }));
    let encode: Arc<[TransformOp]> = Arc::new([TransformOp::Encode { format: ImageFormat::Jpeg, quality: Some(88) }]);
    let operations = [paid(Action::Generate), paid(Action::Edit), Operation::Local(LocalAction::Transform { ops: encode })];
    let step = |name: &str, kind, action, axes: Vec<usize>, jobs, inputs: Vec<usize>, depth| PlannedStep {
        name: name.into(),
        kind,
        action,
        model: action.map(|_| "gpt-image-2".into()),
        baseline: action.map(|_| "pdp".into()),
        axes,
        jobs,
        inputs,
        is_final: name == "deliver",
        depth,
        checks: Arc::from([]),
        rerolls: 0,
    };
    let steps = vec![
        step("hero", "generate", Some(Action::Generate), vec![0], 0..heroes, vec![], 1),
        step("surface", "edit", Some(Action::Edit), vec![0, 1], heroes..heroes * 4, vec![0], 2),
        step("deliver", "transform", None, vec![0, 1], heroes * 4..heroes * 7, vec![1], 2),
    ];
    let mut plan = Plan {
        campaign: "spring-drop".into(),
        digest: Digest::of(b""),
        axes,
        steps,
        jobs: Vec::new(),
        graph: DiGraph::default(),
        twins: BTreeMap::new(),
        picks: BTreeMap::new(),
        checked_as: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    for place in 0..3_u32 {
        for sku in 0..heroes {
            for surface in 0..if place == 0 { 1 } else { 3 } {
                let cell: Box<[u32]> = if place == 0 { [sku].into() } else { [sku, surface].into() };
                let prompt = ["a teapot, off-white sweep", "replace only the background", ""][place as usize];
                let node = plan.graph.add_node(());
                if place > 0 {
                    let from = if place == 1 { sku } else { heroes + sku * 3 + surface };
                    plan.graph.add_edge(NodeIndex::new(from as usize), node, InputRole::Image);
                }
                plan.jobs.push(Job {
                    step: place,
                    cell,
                    key: JobKey(Digest::of(format!("job {}", node.index()).as_bytes())),
                    operation: operations[place as usize].clone(),
                    prompt: prompt.into(),
                    subject: "a teapot".into(),
                    size: SIZE,
                    path: "".into(),
                });
            }
        }
    }
    for ix in plan.indices() {
        let name = plan.axes_of(ix).into_iter().map(|(_, key)| key.to_string()).collect::<Vec<_>>().join("/");
        let path = if plan.job(ix).step == 2 { format!("{name}.jpg") } else { format!("{name}/{}.png", plan.step_of(ix).name) };
        plan.jobs[ix.index()].path = path.into();
    }
    plan
}

/// Changes the settings of every paid job of a step.
pub(crate) fn set(plan: &mut Plan, step: usize, change: impl Fn(&mut Paid)) {
    for ix in plan.steps[step].jobs.clone() {
        if let Operation::Paid(paid) = &mut plan.jobs[ix as usize].operation {
            change(Arc::make_mut(paid));
        }
    }
}

/// Prices of an embedded book.
pub(crate) fn catalog(book: &str) -> Catalog {
    Catalog::new("kie", BTreeMap::new(), builtin::book(book).expect("an embedded book"))
}

/// Prices of a book of the test.
pub(crate) fn priced(text: &str) -> Catalog {
    Catalog::new("kie", BTreeMap::new(), PriceBook::parse(DocId::CAMPAIGN, text).expect("a book of the test"))
}

/// A picture that stands for the bytes of the job's address.
pub(crate) fn artifact(plan: &Plan, ix: JobIx) -> Artifact {
    let bytes = bytes(plan, ix);
    let format = if plan.job(ix).step == 2 { ImageFormat::Jpeg } else { ImageFormat::Png };
    Artifact { blob: BlobRef { digest: Digest::of(&bytes), len: bytes.len() as u64 }, info: ImageInfo { format, size: SIZE, alpha: false } }
}

/// The bytes behind [`artifact`].
pub(crate) fn bytes(plan: &Plan, ix: JobIx) -> Vec<u8> {
    format!("picture of {}", plan.id(ix)).into_bytes()
}

/// Adds that a job is done.
pub(crate) fn done(history: &mut History, plan: &Plan, ix: JobIx) {
    let attempt = plan.step_of(ix).action.map(|_| AttemptNo(1));
    knows(history, plan, ix, JobState::Done { attempt, artifact: artifact(plan, ix) });
}

/// Adds where a job stands.
pub(crate) fn knows(history: &mut History, plan: &Plan, ix: JobIx, state: JobState) {
    history.jobs.insert(plan.job(ix).key, KnownJob { state });
}

/// What is left to do of everything, when all pictures are there.
pub(crate) fn all_work(plan: &Plan, history: &History) -> Worklist {
    worklist(plan, history, &Selection::all(), &|_| true)
}

/// A budget with a cap.
pub(crate) fn capped(cap: i64) -> Budget {
    Budget { cap: Some(crate::types::Micros::units(cap)), ..Budget::default() }
}
