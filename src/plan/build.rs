//! From a campaign to its plan: cells counted, texts rendered, inputs joined, keys taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};

use super::cells::{Cells, Projection};
use super::jobs::{Assets, StepJobs, Taken, format_of};
use super::mistakes::Mistakes;
use super::paths::{Paths, sentence};
use super::texts::{Scene, Source, Text};
use super::{Input, Job, JobIx, PickCell, Picked, Plan, PlannedAxis, PlannedStep, Preparation};
use crate::campaign::{AxisSource, Campaign, Inserted, Step};
use crate::catalog::Catalog;
use crate::picks::{PicksFile, Rejected};
use crate::spec::AssetProblem;
use crate::steps::StepSpec;
use crate::types::digest::FieldHasher;
use crate::types::{Check, Diagnostic, Diagnostics, Fields, ImageFormat, InputRole, JobId, JobKey, LocalAction, Operation, PixelSize, Yardstick};

/// Builds the plan of a campaign; `assets` holds a digest for each of [`asset_paths`].
///
/// # Errors
/// All mistakes that only show shot by shot: undefined columns of single rows, prompts over the limit, paths that collide,
/// files that are missing or no pictures.
pub fn build(campaign: &Campaign, catalog: &Catalog, assets: &Assets) -> Result<Plan, Diagnostics> {
    build_picked(campaign, catalog, assets, &PicksFile::default())
}

/// Builds the plan with what people chose and turned down. What the plan does not have is passed over: [`check_picks`](super::check_picks) finds it.
///
/// # Errors
/// As [`build`].
pub fn build_picked(campaign: &Campaign, catalog: &Catalog, assets: &Assets, picks: &PicksFile) -> Result<Plan, Diagnostics> {
    let mut builder = Builder::new(campaign, catalog, assets, picks);
    for step in 0..campaign.steps.len() {
        builder.step(step);
    }
    builder.finish()
}

/// Returns the files that the campaign's `load` steps name, each once, in order.
///
/// # Errors
/// File templates that cannot be rendered.
pub fn asset_paths(campaign: &Campaign) -> Result<Vec<Arc<str>>, Diagnostics> {
    let mut mistakes = Mistakes::default();
    let mut paths: BTreeMap<Arc<str>, ()> = BTreeMap::new();
    for step in campaign.steps.iter().filter(|step| matches!(step.spec, StepSpec::Load(_))) {
        let scene = Scene { campaign, step, axes: &step.axes };
        let Some(template) = step.texts.first() else { continue };
        let mut text = Text::new(campaign, step, &step.axes, Source::Template(template));
        let cells = Cells::new(dims(campaign, &step.axes));
        let mut coordinates = vec![0; step.axes.len()];
        for _ in 0..cells.len() {
            match text.at(&scene, &coordinates) {
                Ok(path) => {
                    paths.insert(path, ());
                }
                Err(problem) => mistakes.template(&scene, &coordinates, template.at(), &problem),
            }
            cells.advance(&mut coordinates);
        }
    }
    for path in campaign.steps.iter().flat_map(|step| &step.checks).filter_map(yardstick_file) {
        paths.insert(Arc::clone(path), ());
    }
    let found = mistakes.finish();
    if found.has_errors() { Err(found) } else { Ok(paths.into_keys().collect()) }
}

/// Returns the file that a check compares with.
fn yardstick_file(check: &Check) -> Option<&Arc<str>> {
    match check {
        Check::Similarity { to: Yardstick::File(path), .. } => Some(path),
        _ => None,
    }
}

fn dims(campaign: &Campaign, axes: &[usize]) -> Vec<u32> {
    axes.iter().map(|axis| u32::try_from(campaign.axes[*axis].values.len()).unwrap_or(u32::MAX)).collect()
}

/// Where a step takes a picture from.
struct Makers {
    /// The step that makes it.
    step: usize,
    /// The step that makes it one that a model takes.
    prepared: Option<usize>,
}

struct Builder<'a> {
    campaign: &'a Campaign,
    catalog: &'a Catalog,
    assets: &'a Assets,
    /// Cells of the steps so far.
    cells: Vec<Cells>,
    steps: Vec<PlannedStep>,
    jobs: Vec<Job>,
    graph: DiGraph<(), InputRole, u32>,
    /// Whether each job's picture may be see-through.
    see_through: Vec<bool>,
    paths: Paths,
    prepared: Vec<Preparation>,
    signed: Vec<JobIx>,
    picks: &'a PicksFile,
    cells_to_pick: BTreeMap<JobIx, PickCell>,
    refused: BTreeMap<JobIx, Vec<Rejected>>,
    mistakes: Mistakes,
}

impl<'a> Builder<'a> {
    fn new(campaign: &'a Campaign, catalog: &'a Catalog, assets: &'a Assets, picks: &'a PicksFile) -> Self {
        let written = campaign.steps.iter().filter(|step| !matches!(step.inserted, Some(Inserted::Source(_))));
        let count: usize = written.map(|step| dims(campaign, &step.axes).iter().map(|dim| *dim as usize).product::<usize>()).sum();
        let edges = campaign.steps.iter().any(|step| !step.sources.is_empty());
        Self {
            campaign,
            catalog,
            assets,
            cells: Vec::new(),
            steps: Vec::new(),
            jobs: Vec::with_capacity(count),
            graph: DiGraph::with_capacity(count, if edges { count } else { 0 }),
            see_through: Vec::with_capacity(count),
            paths: Paths::with_room(count),
            prepared: Vec::new(),
            signed: Vec::new(),
            picks,
            cells_to_pick: BTreeMap::new(),
            refused: BTreeMap::new(),
            mistakes: Mistakes::default(),
        }
    }

    fn step(&mut self, index: usize) {
        let step = &self.campaign.steps[index];
        let scene = Scene { campaign: self.campaign, step, axes: &step.axes };
        let mut cells = Cells::new(dims(self.campaign, &step.axes));
        let projections: Vec<(Makers, InputRole, Projection)> = step
            .sources
            .iter()
            .map(|source| {
                let maker = &self.campaign.steps[source.step];
                let makers = Makers { step: source.step, prepared: source.prepared };
                (makers, source.role, Projection::new(&maker.axes, &self.cells[source.step], &step.axes))
            })
            .collect();
        for path in step.checks.iter().filter_map(yardstick_file) {
            if let Some(Err(problem)) = self.assets.get(path) {
                let at = step.at.key("check").key("similarity").key("file");
                let code = if *problem == AssetProblem::Missing { "missing-file" } else { "unreadable-file" };
                let finding = Diagnostic::error(code, at, format!("`{}`: {problem}", path.escape_debug()));
                self.mistakes.push(finding.help("paths are relative to the campaign file"));
            }
        }
        let first = self.jobs.len() as u32;
        let mut making = StepJobs::new(self.campaign, self.catalog, self.assets, step);
        let mut coordinates = vec![0; step.axes.len()];
        let kept = self.kept(step, &scene, &cells);
        let needed = self.needed(step, &making);
        for cell in 0..cells.len() {
            if needed.as_ref().is_some_and(|needed| !needed[cell]) {
                cells.advance(&mut coordinates);
                continue;
            }
            if kept.as_ref().is_none_or(|kept| kept[cell])
                && let Some(inputs) = self.inputs(step, &projections, &coordinates)
            {
                let ix = JobIx(self.jobs.len() as u32);
                let inputs = if matches!(step.spec, StepSpec::Pick(_)) { self.pick(&scene, &coordinates, ix, inputs) } else { inputs };
                if self.job(&mut making, &scene, &coordinates, index as u32, ix, inputs) {
                    cells.put(cell, ix.0);
                }
            }
            cells.advance(&mut coordinates);
        }
        super::proof::ladder(self.campaign, step, &self.jobs[first as usize..], &mut self.mistakes);
        self.planned(index, step, first);
        self.cells.push(cells);
    }

    /// Says of each cell of a step that prepares sources whether its picture needs that; `None` for every other step. Most pictures need
    /// nothing, and what one needs is what the next of its size needs.
    fn needed(&self, step: &Step, making: &StepJobs<'a>) -> Option<Vec<bool>> {
        let Some(Inserted::Source(work)) = &step.inserted else { return None };
        let makers = &self.cells[step.sources.first()?.step];
        let mut known: Option<(PixelSize, ImageFormat, bool, bool)> = None;
        let mut is_needed = |ix: u32| {
            let job = &self.jobs[ix as usize];
            let see_through = self.see_through[ix as usize];
            if matches!(job.operation, Operation::Local(LocalAction::Load { .. })) {
                return making.needs(work, job, see_through);
            }
            let format = format_of(&job.path);
            match known {
                Some((size, as_format, clear, needs)) if size == job.size && as_format == format && clear == see_through => needs,
                _ => {
                    let needs = making.needs(work, job, see_through);
                    known = Some((job.size, format, see_through, needs));
                    needs
                }
            }
        };
        Some((0..makers.len()).map(|cell| makers.job(cell).is_some_and(&mut is_needed)).collect())
    }

    /// Evaluates `when` and `exclude`, in one go for all cells; `None` keeps every cell.
    fn kept(&mut self, step: &Step, scene: &Scene<'_>, cells: &Cells) -> Option<Vec<bool>> {
        if step.when.is_none() && step.exclude.is_empty() {
            return None;
        }
        let excluded = |coordinates: &[u32]| {
            step.exclude.iter().any(|line| !line.is_empty() && line.iter().all(|(position, values)| values.contains(&coordinates[*position])))
        };
        let mut kept = Vec::with_capacity(cells.len());
        let mut coordinates = vec![0; step.axes.len()];
        let Some(condition) = &step.when else {
            for _ in 0..cells.len() {
                kept.push(!excluded(&coordinates));
                cells.advance(&mut coordinates);
            }
            return Some(kept);
        };
        let mistakes = &mut self.mistakes;
        let judged = condition.with(|is_true| {
            for _ in 0..cells.len() {
                let keep = !excluded(&coordinates)
                    && is_true(scene.keyed(&coordinates)).unwrap_or_else(|problem| {
                        mistakes.template(scene, &coordinates, condition.at(), &problem);
                        false
                    });
                kept.push(keep);
                cells.advance(&mut coordinates);
            }
        });
        if let Err(problem) = judged {
            self.mistakes.template(scene, &vec![0; step.axes.len()], condition.at(), &problem);
        }
        Some(kept)
    }

    /// Returns the pictures for these coordinates; `None` when one that is needed was dropped.
    fn inputs(&self, step: &Step, projections: &[(Makers, InputRole, Projection)], coordinates: &[u32]) -> Option<Vec<Input>> {
        let mut inputs = Vec::with_capacity(projections.len());
        for (Makers { step: maker, prepared }, role, projection) in projections {
            if step.across.is_empty() {
                let cell = projection.cell(coordinates);
                // A prepared picture stands in for the one it is made from, on the same axes.
                let job = prepared.and_then(|prepared| self.cells[prepared].job(cell)).or_else(|| self.cells[*maker].job(cell))?;
                inputs.push(Input { from: JobIx(job), role: *role });
                continue;
            }
            let gathered = projection.gathered(coordinates).into_iter().filter_map(|cell| self.cells[*maker].job(cell));
            let numbered = |number| if matches!(role, InputRole::Candidate(_)) { InputRole::Candidate(number) } else { InputRole::Cell(number) };
            inputs.extend((0u32..).zip(gathered).map(|(number, job)| Input { from: JobIx(job), role: numbered(number) }));
        }
        (step.sources.is_empty() || !inputs.is_empty()).then_some(inputs)
    }

    /// Notes a cell to pick, and returns what it takes: the chosen picture alone, or all that may be chosen.
    fn pick(&mut self, scene: &Scene<'a>, coordinates: &[u32], ix: JobIx, candidates: Vec<Input>) -> Vec<Input> {
        let address = JobId::new(self.mistakes.address(scene, coordinates));
        let chosen = self.picks.chosen.get(&address).and_then(|chosen| {
            let from = candidates.iter().map(|input| input.from).find(|from| self.address(*from) == chosen.shot.as_str())?;
            let is_refused = self.picks.rejection(&chosen.shot, chosen.picture).is_some();
            (!is_refused).then(|| Picked { from, picture: chosen.picture, note: chosen.note.clone(), automatic: chosen.automatic })
        });
        let inputs = match &chosen {
            Some(picked) => vec![Input { from: picked.from, role: InputRole::Image }],
            None => candidates.clone(),
        };
        let candidates = candidates.into_iter().map(|input| input.from).collect();
        self.cells_to_pick.insert(ix, PickCell { candidates, chosen });
        inputs
    }

    /// Returns the pictures of a paid shot that a person turned down.
    fn refusals(&self, scene: &Scene<'a>, coordinates: &[u32], job: &Job) -> Vec<Rejected> {
        if self.picks.rejected.is_empty() || !matches!(job.operation, Operation::Paid(_)) {
            return Vec::new();
        }
        let address = JobId::new(self.mistakes.address(scene, coordinates));
        self.picks.rejected.get(&address).cloned().unwrap_or_default()
    }

    fn job(&mut self, making: &mut StepJobs<'a>, scene: &Scene<'a>, coordinates: &[u32], step: u32, ix: JobIx, inputs: Vec<Input>) -> bool {
        let mut mains = inputs.iter().filter(|input| matches!(input.role, InputRole::Image | InputRole::Candidate(_)));
        let see_through = mains.any(|input| self.see_through[input.from.index()]);
        let chosen = self.cells_to_pick.get(&ix).and_then(|cell| cell.chosen.as_ref()).map(|picked| picked.picture);
        let taken = Taken { inputs: &inputs, jobs: &self.jobs, see_through, chosen };
        let Some(made) = making.make(scene, coordinates, &taken, &mut self.mistakes) else {
            return false;
        };
        self.prepared.extend(making.preparation(&taken, &made, ix));
        let mut job = Job {
            step,
            cell: coordinates.into(),
            key: JobKey(crate::types::Digest::from_bytes([0; 32])),
            operation: made.operation,
            prompt: made.prompt,
            subject: made.subject,
            size: made.size,
            path: made.path.into_boxed_str(),
        };
        if making.asset(&job).is_some_and(|asset| asset.marks.c2pa) {
            self.signed.push(ix);
        }
        if let Some(other) = self.paths.take(&job.path, ix, |other| &self.jobs[other.index()].path) {
            self.collision(scene, coordinates, &job.path, other);
        }
        // What was chosen is itself, whatever it was once made from.
        let told = if chosen.is_some() { &[][..] } else { &inputs[..] };
        let keyed = told.iter().map(|input| (*input, self.jobs[input.from.index()].key));
        let refused = self.refusals(scene, coordinates, &job);
        job.key = making.key(&job, coordinates, keyed, &refused);
        if !refused.is_empty() {
            self.refused.insert(ix, refused);
        }
        let node = self.graph.add_node(());
        for input in &inputs {
            self.graph.add_edge(NodeIndex::new(input.from.index()), node, input.role);
        }
        self.jobs.push(job);
        self.see_through.push(made.see_through);
        true
    }

    fn collision(&mut self, scene: &Scene<'_>, coordinates: &[u32], path: &str, other: JobIx) {
        let other = self.address(other);
        let at = scene.step.path.as_ref().map_or_else(|| scene.step.at.clone().at_key(), |template| template.at().clone());
        let message = format!("two shots would stand at `{}`", path.escape_debug());
        let this = self.mistakes.address(scene, coordinates);
        let finding = Diagnostic::error("path-collision", at, message).label(format!("`{this}` and `{other}`"));
        self.mistakes
            .push(finding.help(
                "name what tells them apart in the path, for example `{{ step }}` or an axis; upper and lower case are the same to many disks",
            ));
    }

    fn address(&self, ix: JobIx) -> String {
        let job = &self.jobs[ix.index()];
        let step = &self.campaign.steps[job.step as usize];
        let scene = Scene { campaign: self.campaign, step, axes: &step.axes };
        self.mistakes.address(&scene, &job.cell)
    }

    fn planned(&mut self, index: usize, step: &Step, first: u32) {
        let inputs = self.makers(step);
        let below = inputs.iter().map(|input| self.steps[*input].depth).max().unwrap_or(0);
        self.steps.push(PlannedStep {
            name: Arc::clone(&step.name),
            kind: step.inserted.as_ref().map_or_else(|| step.spec.kind().name(), Inserted::kind),
            action: step.paid.as_ref().map(|paid| paid.action),
            model: step.paid.as_ref().map(|paid| Arc::clone(&paid.model)),
            baseline: step.baseline.clone(),
            axes: step.axes.clone(),
            jobs: first..self.jobs.len() as u32,
            is_final: is_final(self.campaign, index),
            inputs,
            depth: below + u32::from(step.paid.is_some()),
            inserted: step.inserted.clone(),
            checks: step.checks.clone().into(),
            rerolls: step.rerolls,
        });
        if matches!(step.inserted, Some(Inserted::Source(_))) {
            return;
        }
        if first as usize == self.jobs.len() && self.mistakes.is_empty() {
            let finding = Diagnostic::error("empty-step", step.at.clone().at_key(), format!("no shot of step `{}` is left", step.name));
            self.mistakes.push(finding.help("check its `when` and `exclude`, and those of the steps before it"));
        }
    }

    /// Returns the steps whose pictures a step takes: the prepared ones, and those that are taken as they are.
    fn makers(&self, step: &Step) -> Vec<usize> {
        let mut makers = Vec::with_capacity(step.sources.len());
        for source in &step.sources {
            let prepared = source.prepared.map_or(0, |prepared| self.steps[prepared].jobs.len());
            makers.extend(source.prepared.filter(|_| prepared > 0));
            if prepared < self.steps[source.step].jobs.len() || prepared == 0 {
                makers.push(source.step);
            }
        }
        makers
    }

    /// Takes away inserted steps that no shot needs.
    fn drop_needless(&mut self) {
        let is_needless = |step: &PlannedStep| step.jobs.is_empty() && step.inserted.is_some();
        if !self.steps.iter().any(is_needless) {
            return;
        }
        let mut places = Vec::with_capacity(self.steps.len());
        let mut next = 0;
        for step in &self.steps {
            places.push(next);
            next += usize::from(!is_needless(step));
        }
        self.steps.retain(|step| !is_needless(step));
        self.steps.iter_mut().flat_map(|step| &mut step.inputs).for_each(|input| *input = places[*input]);
        for job in &mut self.jobs {
            job.step = places[job.step as usize] as u32;
        }
    }

    fn finish(mut self) -> Result<Plan, Diagnostics> {
        let paths = self.jobs.iter().map(|job| &*job.path);
        if let Some((file, other)) = self.paths.file_as_folder(paths, |job| &self.jobs[job.index()].path) {
            let (path, below) = (self.jobs[file.index()].path.clone(), self.jobs[other.index()].path.clone());
            let step = &self.campaign.steps[self.jobs[file.index()].step as usize];
            let at = step.path.as_ref().map_or_else(|| step.at.clone().at_key(), |template| template.at().clone());
            let reason = format!("`{}` needs a folder of that name", below.escape_debug());
            self.mistakes.push(
                Diagnostic::error("path-collision", at, sentence(&path, &reason)).help("give files an extension: end the path with `.{{ ext }}`"),
            );
        }
        let found = std::mem::take(&mut self.mistakes).finish();
        if found.has_errors() {
            return Err(found);
        }
        self.drop_needless();
        let axes = self.campaign.axes.iter().map(|axis| PlannedAxis {
            name: Arc::clone(&axis.name),
            keys: axis.values.iter().map(|value| Arc::clone(&value.key)).collect(),
            is_take: matches!(axis.source, AxisSource::Take { .. }),
        });
        let twins = twins(&self.jobs);
        Ok(Plan {
            checked_as: checked_as(&self.jobs, &self.steps, &twins),
            campaign: Arc::clone(&self.campaign.name),
            digest: digest(&self.jobs, &self.steps),
            axes: axes.collect(),
            twins,
            steps: self.steps,
            jobs: self.jobs,
            graph: self.graph,
            prepared: self.prepared,
            signed: self.signed,
            picks: self.cells_to_pick,
            refused: self.refused,
        })
    }
}

/// Returns whether a step makes finals: pictures that nothing is made from. Contact sheets are for looking, so they do not count, either way.
fn is_final(campaign: &Campaign, index: usize) -> bool {
    let is_sheet = |step: &Step| matches!(step.spec, StepSpec::Sheet(_));
    let takes_it = |step: &Step| step.sources.iter().any(|source| source.step == index || source.prepared == Some(index));
    !is_sheet(&campaign.steps[index]) && !campaign.steps.iter().any(|other| !is_sheet(other) && takes_it(other))
}

fn digest(jobs: &[Job], steps: &[PlannedStep]) -> crate::types::Digest {
    let mut hasher = FieldHasher::new("callsheet plan 1");
    // What decides which pictures are good decides what is bought, but not what a picture is.
    for step in steps.iter().filter(|step| !step.checks.is_empty()) {
        hasher.field("checks", format!("{} {:?} {}", step.name, step.checks, step.rerolls).as_bytes());
    }
    for job in jobs {
        hasher.field("key", job.key.0.as_bytes());
        hasher.field("path", job.path.as_bytes());
    }
    hasher.finish()
}

/// Finds the step whose checks look at jobs that are one picture: the first that has any.
fn checked_as(jobs: &[Job], steps: &[PlannedStep], twins: &BTreeMap<JobIx, JobIx>) -> BTreeMap<JobIx, u32> {
    let mut checked = BTreeMap::new();
    let step_with_checks = |ix: JobIx| Some(jobs[ix.index()].step).filter(|step| !steps[*step as usize].checks.is_empty());
    for (later, first) in twins {
        if let Some(step) = step_with_checks(*first).or_else(|| checked.get(first).copied()).or_else(|| step_with_checks(*later)) {
            checked.insert(*first, step);
        }
    }
    for (later, first) in twins {
        if let Some(step) = checked.get(first).copied() {
            checked.insert(*later, step);
        }
    }
    checked
}

/// Finds jobs with one key. Sorted, not hashed: a table of a million keys is a million misses of the cache.
fn twins(jobs: &[Job]) -> BTreeMap<JobIx, JobIx> {
    let mut sorted: Vec<(u64, JobIx)> = (0u32..).map(JobIx).zip(jobs).map(|(ix, job)| (job.key.0.seed(), ix)).collect();
    sorted.sort_unstable();
    let mut twins = BTreeMap::new();
    for alike in sorted.chunk_by(|one, next| one.0 == next.0).filter(|alike| alike.len() > 1) {
        for (position, (_, later)) in alike.iter().enumerate() {
            let has_its_key = |(_, earlier): &&(u64, JobIx)| jobs[earlier.index()].key == jobs[later.index()].key;
            if let Some((_, first)) = alike[..position].iter().find(has_its_key) {
                twins.insert(*later, *first);
            }
        }
    }
    twins
}
