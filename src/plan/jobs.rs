//! Makes the jobs of one step: prompt, operation, size and path of each cell.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::describe::Keys;
use super::mistakes::Mistakes;
use super::paths::{Layout, PathProblem, plainer, sentence};
use super::prompts::Prompts;
use super::texts::{Scene, Source, Text};
use super::{Input, Job, JobIx, Preparation, lower, prepare};
use crate::campaign::{AxisSource, Campaign, Inserted, SourceWork, Step};
use crate::catalog::{Catalog, InputUnfit, OperationCard};
use crate::picks::Rejected;
use crate::spec::{Asset, AssetProblem};
use crate::steps::StepSpec;
use crate::types::shape::{SheetGrid, default_format, see_through, transformed};
use crate::types::{Action, Diagnostic, Digest, FieldPath, ImageFormat, InputRole, JobKey, LocalAction, Marks, Operation, Paid, PixelSize, Segment};

/// Files by path, as [`crate::spec::read_assets`] found them.
pub type Assets = BTreeMap<Arc<str>, Result<Asset, AssetProblem>>;

/// Side of a picture when nothing tells its size.
const UNKNOWN_SIZE: PixelSize = PixelSize::new(1024, 1024);

/// The pictures that a cell takes.
pub(super) struct Taken<'j> {
    pub(super) inputs: &'j [Input],
    /// All jobs so far: makers stand before takers.
    pub(super) jobs: &'j [Job],
    /// Whether the main picture may be see-through.
    pub(super) see_through: bool,
    /// What a person chose among them.
    pub(super) chosen: Option<Digest>,
}

impl<'j> Taken<'j> {
    /// Returns the job whose picture is edited, enlarged, transformed or chosen; the first of those that may be.
    fn main(&self) -> Option<&'j Job> {
        self.inputs.iter().find(|input| matches!(input.role, InputRole::Image | InputRole::Candidate(_))).map(|input| &self.jobs[input.from.index()])
    }
}

/// What a cell becomes.
pub(super) struct Made {
    pub(super) operation: Operation,
    pub(super) prompt: Arc<str>,
    pub(super) subject: Arc<str>,
    pub(super) size: PixelSize,
    pub(super) path: String,
    pub(super) see_through: bool,
}

/// The jobs of one step, one after the other.
pub(super) struct StepJobs<'a> {
    step: &'a Step,
    card: Option<&'a OperationCard>,
    assets: &'a Assets,
    prompts: Prompts<'a>,
    texts: Vec<Text<'a>>,
    label: Option<Text<'a>>,
    layout: Layout<'a>,
    /// Position of the axis of takes.
    take: Option<usize>,
    keys: Keys,
    /// Sizes by the size of the input picture.
    sizes: HashMap<Option<PixelSize>, PixelSize>,
}

impl<'a> StepJobs<'a> {
    pub(super) fn new(campaign: &'a Campaign, catalog: &'a Catalog, assets: &'a Assets, step: &'a Step) -> Self {
        let text = |source: Source<'a>| Text::new(campaign, step, &step.axes, source);
        let is_sheet = matches!(step.spec, StepSpec::Sheet(_));
        let label = step.texts.first().filter(|_| is_sheet).map(|label| {
            let pictures = &campaign.steps[step.sources[0].step].axes;
            Text::new(campaign, step, pictures, Source::Template(label))
        });
        let texts = if is_sheet { Vec::new() } else { step.texts.iter().map(|template| text(Source::Template(template))).collect() };
        let card = step.paid.as_ref().and_then(|paid| catalog.at(&paid.provider).card(&paid.model)?.operation(paid.action));
        let layout = Layout::new(&Scene { campaign, step, axes: &step.axes });
        let take = step.axes.iter().position(|axis| matches!(campaign.axes[*axis].source, AxisSource::Take { .. }));
        let prompts = Prompts::new(campaign, step, card.and_then(|card| card.prompt_limit));
        Self { step, card, assets, prompts, texts, label, layout, take, keys: Keys::default(), sizes: HashMap::new() }
    }

    /// Returns the identity of the job at these coordinates, made from pictures with these keys.
    pub(super) fn key(&mut self, job: &Job, coordinates: &[u32], inputs: impl Iterator<Item = (Input, JobKey)>, refused: &[Rejected]) -> JobKey {
        let take = self.take.map(|position| coordinates[position] + 1);
        self.keys.key(job, take, inputs, refused)
    }

    /// Makes the job at these coordinates; `None` after noting why it cannot be made.
    pub(super) fn make(&mut self, scene: &Scene<'a>, coordinates: &[u32], taken: &Taken<'_>, mistakes: &mut Mistakes) -> Option<Made> {
        let main = taken.main();
        let (prompt, own_subject) = self.prompts.at(scene, coordinates, mistakes)?;
        let subject = if own_subject.is_empty() { main.map_or(own_subject, |job| Arc::clone(&job.subject)) } else { own_subject };
        let (operation, size, clear, extension) = match &self.step.paid {
            Some(paid) => self.paid(paid, main, taken.see_through),
            None => self.local(scene, coordinates, taken, mistakes)?,
        };
        let path = match self.layout.path(scene, coordinates, extension) {
            Ok(path) => path,
            Err(problem) => {
                self.path_mistake(scene, coordinates, problem, mistakes);
                return None;
            }
        };
        Some(Made { operation, prompt, subject, size, path, see_through: clear })
    }

    fn paid(&mut self, paid: &Arc<Paid>, main: Option<&Job>, input_see_through: bool) -> (Operation, PixelSize, bool, &'static str) {
        let input = main.map(|job| job.size);
        let card = self.card;
        let size = *self.sizes.entry(input).or_insert_with(|| card.map_or(UNKNOWN_SIZE, |card| card.output_size(&paid.settings, input)));
        let clear = match paid.action {
            Action::RemoveBackground => true,
            Action::Upscale => input_see_through,
            _ => paid.settings.background.as_deref() == Some("transparent"),
        };
        let format = paid.settings.format.unwrap_or(ImageFormat::Png);
        (Operation::Paid(Arc::clone(paid)), size, clear, format.extension())
    }

    fn local(
        &mut self,
        scene: &Scene<'a>,
        coordinates: &[u32],
        taken: &Taken<'_>,
        mistakes: &mut Mistakes,
    ) -> Option<(Operation, PixelSize, bool, &'static str)> {
        let Taken { inputs, jobs, see_through: input_see_through, chosen } = *taken;
        let main = taken.main();
        if let Some(inserted) = &self.step.inserted {
            return self.inserted(inserted, main?, input_see_through, scene, coordinates, mistakes);
        }
        match &self.step.spec {
            StepSpec::Load(_) => self.load(scene, coordinates, mistakes),
            StepSpec::Transform(transform) => {
                let texts = self.rendered_texts(scene, coordinates, mistakes)?;
                let action = lower::transform(transform, &texts);
                let LocalAction::Transform { ops } = &action else { return None };
                let input_format = main.map_or(ImageFormat::Png, |job| format_of(&job.path));
                let format = default_format(ops, input_format);
                let clear = see_through(input_see_through, ops);
                if clear && !format.has_alpha() {
                    let at = self.step.at.key("ops");
                    let finding = Diagnostic::error("jpeg-transparency", at, "a JPEG cannot hold a transparent background");
                    let address = mistakes.address(scene, coordinates);
                    mistakes.push(
                        finding
                            .label(format!("for `{address}`"))
                            .help("add `pad: { to: ..., color: \"#ffffff\" }` before `encode`, or encode as png or webp"),
                    );
                    return None;
                }
                let size = transformed(main.map_or(UNKNOWN_SIZE, |job| job.size), ops);
                Some((Operation::Local(action), size, clear && format.has_alpha(), format.extension()))
            }
            StepSpec::Sheet(sheet) => {
                let labels = self.labels(scene, inputs, jobs, mistakes)?;
                let action = lower::sheet(sheet, inputs.len(), labels);
                let LocalAction::Sheet { columns, cell, labels } = &action else { return None };
                let captioned = labels.iter().any(|label| !label.is_empty());
                let size = SheetGrid::new(inputs.len(), captioned, *columns, *cell).size;
                Some((Operation::Local(action), size, false, ImageFormat::Png.extension()))
            }
            StepSpec::Pick(_) => {
                let (size, format) = main.map_or((UNKNOWN_SIZE, ImageFormat::Png), |job| (job.size, format_of(&job.path)));
                Some((Operation::Local(LocalAction::Pick { chosen }), size, input_see_through, format.extension()))
            }
            _ => None,
        }
    }

    /// Makes a job of a step that the author did not write; `None` where the picture is taken as it is.
    fn inserted(
        &self,
        inserted: &Inserted,
        maker: &Job,
        input_see_through: bool,
        scene: &Scene<'a>,
        coordinates: &[u32],
        mistakes: &mut Mistakes,
    ) -> Option<(Operation, PixelSize, bool, &'static str)> {
        let format = format_of(&maker.path);
        let ops = match inserted {
            Inserted::Result(work) => prepare::result(work, maker.size, format),
            Inserted::Source(work) => match prepare::source(work, maker, self.asset(maker), input_see_through) {
                Ok(ops) if ops.is_empty() => return None,
                Ok(ops) => ops,
                Err(unfit) => {
                    self.unfit_source(work, maker, &unfit, scene, coordinates, mistakes);
                    return None;
                }
            },
        };
        let clear = see_through(input_see_through, &ops);
        let size = transformed(maker.size, &ops);
        let extension = default_format(&ops, format).extension();
        Some((Operation::Local(LocalAction::Transform { ops: ops.into() }), size, clear, extension))
    }

    /// Returns whether a picture must be changed before it is sent, or cannot be sent at all.
    pub(super) fn needs(&self, work: &SourceWork, maker: &Job, see_through: bool) -> bool {
        prepare::source(work, maker, self.asset(maker), see_through).map_or(true, |ops| !ops.is_empty())
    }

    /// Returns the author's file that a job loads.
    pub(super) fn asset(&self, job: &Job) -> Option<&'a Asset> {
        let Operation::Local(LocalAction::Load { path, .. }) = &job.operation else { return None };
        self.assets.get(path)?.as_ref().ok()
    }

    /// Returns what is to be said about a job that prepares a source.
    pub(super) fn preparation(&self, taken: &Taken<'_>, made: &Made, ix: JobIx) -> Option<Preparation> {
        let Some(Inserted::Source(work)) = &self.step.inserted else { return None };
        let (Operation::Local(LocalAction::Transform { ops }), Some(maker)) = (&made.operation, taken.main()) else { return None };
        let asset = self.asset(maker);
        let file = match &maker.operation {
            Operation::Local(LocalAction::Load { path, .. }) => Some(Arc::clone(path)),
            _ => None,
        };
        Some(Preparation {
            job: ix,
            file,
            before: maker.size,
            len: asset.map(|asset| asset.len),
            from: asset.map_or_else(|| format_of(&maker.path), |asset| asset.info.format),
            marks: asset.map_or_else(Marks::default, |asset| asset.marks),
            taker: Arc::clone(&work.taker),
            role: work.role,
            ops: Arc::clone(ops),
        })
    }

    fn unfit_source(&self, work: &SourceWork, maker: &Job, unfit: &InputUnfit, scene: &Scene<'a>, coordinates: &[u32], mistakes: &mut Mistakes) {
        let taken_at = match work.role {
            InputRole::Mask => self.step.at.key("mask"),
            InputRole::Reference(index) => self.step.at.key("images").index(index as usize),
            _ => self.step.at.key("image"),
        };
        let loaded = self.step.sources.first().map(|source| &scene.campaign.steps[source.step]);
        let cell = loaded.filter(|step| matches!(step.spec, StepSpec::Load(_))).map(|step| {
            let in_table = column_of(step, scene, coordinates);
            in_table.unwrap_or_else(|| step.at.key("file"))
        });
        let at = cell.unwrap_or_else(|| taken_at.clone());
        let what = match &maker.operation {
            Operation::Local(LocalAction::Load { path, .. }) => format!("`{}`", path.escape_debug()),
            _ => format!("the {} of `{}`", work.role.label(), mistakes.address(scene, coordinates)),
        };
        let mut finding = Diagnostic::error("unfit-source", at.clone(), format!("{what} cannot be sent to `{}`: {unfit}", work.taker));
        if at != taken_at {
            finding = finding.related(taken_at, format!("sent by the step `{}`", work.serves));
        }
        mistakes.push(finding.help(unfit.help()));
    }

    fn rendered_texts(&mut self, scene: &Scene<'a>, coordinates: &[u32], mistakes: &mut Mistakes) -> Option<Vec<Arc<str>>> {
        let mut rendered = Vec::with_capacity(self.texts.len());
        for (text, template) in self.texts.iter_mut().zip(&self.step.texts) {
            match text.at(scene, coordinates) {
                Ok(text) => rendered.push(text),
                Err(problem) => {
                    mistakes.template(scene, coordinates, template.at(), &problem);
                    return None;
                }
            }
        }
        Some(rendered)
    }

    fn load(&mut self, scene: &Scene<'a>, coordinates: &[u32], mistakes: &mut Mistakes) -> Option<(Operation, PixelSize, bool, &'static str)> {
        let path = self.rendered_texts(scene, coordinates, mistakes)?.into_iter().next()?;
        match self.assets.get(&path) {
            Some(Ok(asset)) => {
                let action = LocalAction::Load { path, digest: asset.digest, size: asset.info.size };
                Some((Operation::Local(action), asset.info.size, asset.info.alpha, asset.info.format.extension()))
            }
            Some(Err(problem)) => {
                let at = column_of(self.step, scene, coordinates).unwrap_or_else(|| self.step.at.key("file"));
                let code = match problem {
                    AssetProblem::Missing => "missing-file",
                    AssetProblem::NotAnImage(_) => "not-an-image",
                    _ => "unreadable-file",
                };
                let mut finding = Diagnostic::error(code, at.clone(), format!("`{}`: {problem}", path.escape_debug()));
                if at != self.step.at.key("file") {
                    finding = finding.related(self.step.at.key("file"), "loaded here");
                }
                mistakes.push(finding.help("paths are relative to the campaign file"));
                None
            }
            // The caller read another list of files than ours.
            None => {
                let finding = Diagnostic::error("missing-file", self.step.at.key("file"), format!("`{}` was not read", path.escape_debug()));
                mistakes.push(finding.help("run the command again"));
                None
            }
        }
    }

    fn labels(&mut self, scene: &Scene<'a>, inputs: &[Input], jobs: &[Job], mistakes: &mut Mistakes) -> Option<Arc<[Arc<str>]>> {
        let maker = &scene.campaign.steps[self.step.sources.first()?.step];
        let mut labels = Vec::with_capacity(inputs.len());
        for input in inputs {
            let cell = &jobs[input.from.index()].cell;
            let Some(label) = &mut self.label else {
                let keys = maker.axes.iter().zip(cell.iter()).filter(|(axis, _)| self.step.across.contains(axis));
                let keys = keys.map(|(axis, value)| &*scene.campaign.axes[*axis].values[*value as usize].key);
                labels.push(Arc::from(keys.collect::<Vec<_>>().join(" ")));
                continue;
            };
            let of_picture = Scene { campaign: scene.campaign, step: self.step, axes: &maker.axes };
            match label.at(&of_picture, cell) {
                Ok(text) => labels.push(text),
                Err(problem) => {
                    let at = self.step.texts.first()?.at();
                    mistakes.template(&of_picture, cell, at, &problem);
                    return None;
                }
            }
        }
        Some(labels.into())
    }

    fn path_mistake(&self, scene: &Scene<'_>, coordinates: &[u32], problem: PathProblem, mistakes: &mut Mistakes) {
        let at = self.step.path.as_ref().map_or_else(|| self.step.at.clone().at_key(), |template| template.at().clone());
        match problem {
            PathProblem::Template(problem) => mistakes.template(scene, coordinates, &at, &problem),
            PathProblem::Unsafe { path, reason } => {
                let address = mistakes.address(scene, coordinates);
                let finding = Diagnostic::error("path-escape", at, sentence(&path, &reason)).label(format!("for `{address}`"));
                let axis = scene.axes.first().map(|axis| &*scene.campaign.axes[*axis].name);
                mistakes.push(finding.help(plainer(&path, axis)));
            }
        }
    }
}

/// Returns the cell of the table that names a file, when the template is just one column.
fn column_of(step: &Step, scene: &Scene<'_>, coordinates: &[u32]) -> Option<FieldPath> {
    let template = step.texts.first()?;
    let [lookup] = template.lookups() else { return None };
    let [axis_name, column] = lookup.names.as_slice() else { return None };
    let position = scene.axes.iter().position(|axis| *scene.campaign.axes[*axis].name == **axis_name)?;
    let value = &scene.campaign.axes[scene.axes[position]].values[coordinates[position] as usize];
    let mut at = value.at.clone();
    match at.segments.last_mut() {
        Some(Segment::Column(name)) => *name = Arc::from(column.as_str()),
        _ => return Some(at.key(column)),
    }
    Some(at)
}

pub(super) fn format_of(path: &str) -> ImageFormat {
    match path.rsplit('.').next() {
        Some("jpg" | "jpeg") => ImageFormat::Jpeg,
        Some("webp") => ImageFormat::Webp,
        _ => ImageFormat::Png,
    }
}
