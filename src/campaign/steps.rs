//! Steps, one after the other: their axes joined, their model asked, their templates checked.

mod joined;

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::civil::Date;

use super::axes::{assignment_help, number_comparison, template_diagnostic};
use super::baselines::{Baseline, prompt, rung_prompt};
use super::checks::{Checked, checks};
use super::inserted;
use super::lookups::Lookup;
use super::models::{Asked, Layers, paid};
use super::names::{Used, unknown};
use super::template::{Condition, Template};
use super::variables::{Available, Known};
use super::{Axis, AxisSource, PartText, Prompt, Step, StepSource};
use crate::catalog::Catalog;
use crate::spec::CampaignSpec;
use crate::steps::{SettingsSpec, StepKind, StepSpec};
use crate::types::{Diagnostic, Diagnostics, FieldPath, InputRole};

/// What all steps are settled against.
pub struct StepTable<'a> {
    /// What the author wrote.
    pub spec: &'a CampaignSpec,
    /// Compiled baselines.
    pub baselines: &'a IndexMap<Arc<str>, Baseline>,
    /// Models and prices.
    pub catalog: &'a Catalog,
    /// The day, for models that end.
    pub today: Date,
    /// The profile's defaults and where they stand.
    pub profile: (&'a SettingsSpec, FieldPath),
}

/// Steps settled so far.
pub struct Steps<'a> {
    table: StepTable<'a>,
    axes: Vec<Axis>,
    steps: Vec<Step>,
    used: Used,
}

impl<'a> Steps<'a> {
    /// Starts with the author's axes and ladders.
    pub fn new(table: StepTable<'a>, axes: Vec<Axis>) -> Self {
        Self { table, axes, steps: Vec::new(), used: Used::default() }
    }

    /// Returns axes, steps and what was used.
    pub fn finish(mut self) -> (Vec<Axis>, Vec<Step>, Used) {
        self.used.incomplete |= self.steps.iter().filter(|step| step.inserted.is_none()).count() < self.table.spec.steps.len();
        (self.axes, self.steps, self.used)
    }

    /// Settles the next step; those that it takes pictures from have been.
    pub fn add(&mut self, name: &str, found: &mut Diagnostics) {
        let Some(spec) = self.table.spec.steps.get(name) else { return };
        let kind = spec.kind();
        let at = FieldPath::campaign().key("steps").key(name).key(kind.name());
        let Some(mut sources) = self.sources(kind) else {
            self.used.incomplete = true;
            return;
        };
        let name: Arc<str> = Arc::from(name);
        let ladder = self.ladder(kind, &at, found);
        let baseline_name = self.baseline(spec, ladder.as_ref().map(|(_, baseline, _)| baseline.as_str()), &sources, &at, found);
        let baseline = baseline_name.as_ref().and_then(|name| self.table.baselines.get(name));
        let climbs = ladder.as_ref().map(|(axis, _, slot)| (*axis, *slot));
        let Some((axes, across)) = self.join(&name, kind, &sources, climbs.map(|(axis, _)| axis), &at, found) else {
            self.used.incomplete = true;
            return;
        };
        let own = kind.prompt().and_then(|text| compile(text, at.key("prompt"), found));
        if kind.prompt().is_some() && own.is_none() {
            self.used.incomplete = true;
        }
        let prompt = self.prompt(spec, &at, baseline, own, climbs, found);
        let available = self.available(&axes, baseline.is_some_and(|baseline| baseline.keep.is_some()));
        self.check_prompt(&prompt, &axes, &available, &at, found);
        let texts = self.texts(spec, &sources, &at, &available, found);
        let path = self.path(kind, &at, &axes, found);
        let when = self.condition(kind, &at, &axes, found);
        let exclude = self.exclude(kind, &at, &axes, found);
        let references = sources.iter().filter(|source| matches!(source.role, InputRole::Reference(_))).count();
        let settled = kind.action().and_then(|action| {
            let own_settings = kind.settings();
            let baseline_at = FieldPath::campaign().key("baselines").key(baseline_name.as_deref().unwrap_or_default());
            let nothing = SettingsSpec::default();
            let baseline_settings = baseline.map_or(&nothing, |baseline| &baseline.settings);
            if let (Some(ladder), Some(name), StepSpec::Generate(_)) = (kind.ladder(), &baseline_name, spec) {
                super::ladders::locked(ladder, (name, baseline_settings), &own_settings, &at, found);
            }
            let layers = vec![
                (&own_settings, at.clone()),
                (baseline_settings, baseline_at),
                (self.table.profile.0, self.table.profile.1.clone()),
                (&self.table.spec.defaults, FieldPath::campaign().key("defaults")),
            ];
            let asked = Asked { action, spec, at: &at, layers: Layers { layers }, references };
            paid(&asked, self.table.catalog, self.table.today, found)
        });
        let baseline = baseline_name;
        if let Some(settled) = &settled {
            let is_load = |step: &Step| matches!(step.spec, StepSpec::Load(_));
            for source in &mut sources {
                // Only a file of the author's can be turned or have other colours; the rest depends on what the model says it takes.
                if settled.input.is_none() && settled.shaping.is_none() && !is_load(&self.steps[source.step]) {
                    continue;
                }
                let work = inserted::source(&name, &at, (source.step, &self.steps[source.step]), source.role, settled);
                source.prepared = Some(self.steps.len());
                self.steps.push(work);
            }
        }
        let about = Checked { spec: self.table.spec, steps: &self.steps, all_axes: &self.axes, axes: &axes, sources: &sources, at: &at };
        let (checks, rerolls) = checks(kind, &about, found);
        let (paid, shaping) = settled.map_or((None, None), |settled| (Some(settled.paid), settled.shaping));
        let (spec, inserted, is_shaped) = (spec.clone(), None, shaping.is_some());
        self.steps.push(Step {
            name,
            spec,
            at,
            axes,
            across,
            sources,
            paid,
            prompt,
            baseline,
            texts,
            path,
            checks,
            rerolls,
            when,
            exclude,
            inserted,
            is_shaped,
        });
        let place = self.steps.len() - 1;
        if let (Some(step), Some(shaping)) = (self.steps.last_mut(), shaping) {
            let shaped = inserted::result(step, place, shaping);
            self.steps.push(shaped);
        }
    }

    fn sources(&self, kind: &dyn StepKind) -> Option<Vec<StepSource>> {
        let place = |name: &str| inserted::meant(&self.steps, name);
        kind.inputs().into_iter().map(|input| Some(StepSource { step: place(input.from)?, role: input.role, prepared: None })).collect()
    }

    /// Returns the axis of the step's ladder, its baseline and the slot it varies.
    fn ladder(&mut self, kind: &dyn StepKind, at: &FieldPath, found: &mut Diagnostics) -> Option<(usize, String, &'static str)> {
        let name = kind.ladder()?;
        let Some(ladder) = self.table.spec.ladders.get(name) else {
            let known = self.table.spec.ladders.keys().map(String::as_str);
            found.push(unknown("unknown-ladder", at.key("ladder"), "ladder", name, known));
            self.used.incomplete = true;
            return None;
        };
        self.used.ladders.insert(name.to_owned());
        self.used.baselines.insert(ladder.baseline.clone());
        let axis = self.axes.iter().position(|axis| &*axis.name == name && axis.source == AxisSource::Ladder)?;
        let slot = crate::spec::SlotsSpec::NAMES.into_iter().find(|slot| *slot == ladder.vary)?;
        Some((axis, ladder.baseline.clone(), slot))
    }

    /// Returns the baseline that holds: the step's own, else its ladder's, else that of its picture's step.
    fn baseline(
        &mut self,
        spec: &StepSpec,
        of_ladder: Option<&str>,
        sources: &[StepSource],
        at: &FieldPath,
        found: &mut Diagnostics,
    ) -> Option<Arc<str>> {
        let kind = spec.kind();
        if let Some(own) = kind.baseline() {
            if !self.table.spec.baselines.contains_key(own) {
                let known = self.table.spec.baselines.keys().map(String::as_str);
                found.push(unknown("unknown-baseline", at.key("baseline"), "baseline", own, known));
                self.used.incomplete = true;
                return None;
            }
            self.used.baselines.insert(own.to_owned());
            if let Some(of_ladder) = of_ladder.filter(|of_ladder| *of_ladder != own && matches!(spec, StepSpec::Generate(_))) {
                let message = format!("the ladder varies baseline `{of_ladder}`, but the step names `{own}`");
                found.push(
                    Diagnostic::error("ladder-baseline", at.key("baseline"), message)
                        .help("leave `baseline` out, or choose a ladder of that baseline"),
                );
            }
            return Some(Arc::from(own));
        }
        if let Some(of_ladder) = of_ladder {
            return Some(Arc::from(of_ladder));
        }
        // What was chosen follows the baseline of what it was chosen from, so that an edit of it keeps what that keeps.
        if kind.action().is_none() && !matches!(spec, StepSpec::Pick(_)) {
            return None;
        }
        sources
            .iter()
            .find(|source| matches!(source.role, InputRole::Image | InputRole::Candidate(_)))
            .and_then(|source| inserted::written(&self.steps, source.step).baseline.clone())
    }

    fn prompt(
        &self,
        spec: &StepSpec,
        at: &FieldPath,
        baseline: Option<&Baseline>,
        own: Option<Template>,
        climbs: Option<(usize, &str)>,
        found: &mut Diagnostics,
    ) -> Prompt {
        let kind = spec.kind();
        match spec {
            StepSpec::Generate(generate) => {
                if generate.baseline.is_some() && generate.prompt.is_some() {
                    let finding = Diagnostic::error("two-prompts", at.key("prompt").at_key(), "the step has a baseline and a prompt of its own");
                    found.push(finding.help("a baseline's slots make the prompt; keep one of the two"));
                } else if generate.baseline.is_none() && generate.prompt.is_none() && generate.ladder.is_none() {
                    let finding = Diagnostic::error("no-prompt", at.clone().at_key(), "the step has nothing to say to the model");
                    found.push(finding.help("give it a `baseline`, a `ladder` or a `prompt`"));
                }
                prompt(baseline, own, climbs)
            }
            StepSpec::Edit(edit) => match (&edit.prompt, climbs) {
                (None, Some((axis, _))) => rung_prompt(baseline, axis),
                // An unknown ladder is already said.
                (None, None) if edit.ladder.is_some() => Prompt::default(),
                (None, None) => {
                    let finding = Diagnostic::error("no-prompt", at.clone().at_key(), "the edit does not say what to change");
                    found.push(finding.help("give it a `prompt` or a `ladder`"));
                    Prompt::default()
                }
                (Some(_), _) => own.map_or_else(Prompt::default, |own| prompt(baseline, Some(own), climbs)),
            },
            _ if kind.action().is_some() => own.map_or_else(Prompt::default, |own| prompt(None, Some(own), None)),
            _ => Prompt::default(),
        }
    }

    fn available(&self, axes: &[usize], has_keep: bool) -> Available {
        let mut available = Available::default();
        for axis in axes.iter().map(|axis| &self.axes[*axis]) {
            let known = axis.fields.as_ref().map_or(Known::Text, |fields| Known::Fields(fields.clone()));
            available.add(&axis.name, known);
        }
        let vars = self.table.spec.vars.keys().map(|name| Arc::from(name.as_str()));
        available.add("vars", Known::Fields(vars.collect()));
        available.add("campaign", Known::Text);
        available.add("step", Known::Text);
        if has_keep {
            available.add("keep", Known::Text);
        }
        available
    }

    fn check_template(&mut self, template: &Template, available: &Available, step: &FieldPath, found: &mut Diagnostics) {
        self.note_vars(template.lookups());
        for (problem, help) in available.check(template) {
            let mut finding = template_diagnostic(&problem, template.at(), help);
            let elsewhere = !template.at().segments.starts_with(&step.segments);
            if elsewhere {
                finding = finding.related(step.clone().at_key(), "rendered for this step");
            }
            if !found.iter().any(|known| known.at == finding.at && known.message == finding.message) {
                found.push(finding);
            }
        }
    }

    fn note_vars(&mut self, lookups: &[Lookup]) {
        for lookup in lookups.iter().filter(|lookup| lookup.names[0] == "vars") {
            match lookup.names.get(1) {
                Some(name) => {
                    self.used.vars.insert(name.clone());
                }
                None => self.used.incomplete = true,
            }
        }
    }

    fn check_prompt(&mut self, prompt: &Prompt, axes: &[usize], available: &Available, at: &FieldPath, found: &mut Diagnostics) {
        let mut templates: Vec<Template> = prompt.keep.iter().cloned().collect();
        for part in &prompt.parts {
            match &part.template {
                PartText::Own(template) => templates.push(template.clone()),
                PartText::Rung(_) => {}
            }
        }
        for rung in axes.iter().flat_map(|axis| &self.axes[*axis].values).filter_map(|value| value.rung.as_ref()) {
            templates.push(rung.clone());
        }
        for template in templates {
            self.check_template(&template, available, at, found);
        }
    }

    fn texts(&mut self, spec: &StepSpec, sources: &[StepSource], at: &FieldPath, available: &Available, found: &mut Diagnostics) -> Vec<Template> {
        let kind = spec.kind();
        let mut texts = Vec::new();
        if kind.action().is_none() {
            for template in kind.templates() {
                let place = template.at.iter().fold(at.clone(), |at, part| part.parse().map_or_else(|_| at.key(part), |index| at.index(index)));
                texts.extend(compile(template.text, place, found));
            }
        }
        for template in &texts {
            self.check_template(template, available, at, found);
        }
        let label = match spec {
            StepSpec::Sheet(sheet) => sheet.label.as_deref().and_then(|label| compile(label, at.key("label"), found)),
            _ => None,
        };
        if let Some(label) = label {
            // A label is rendered for each gathered picture, so it sees that picture's axes.
            let pictures = sources.first().map(|source| self.steps[source.step].axes.clone()).unwrap_or_default();
            let of_picture = self.available(&pictures, false);
            self.check_template(&label, &of_picture, at, found);
            texts.push(label);
        }
        texts
    }

    fn path(&mut self, kind: &dyn StepKind, at: &FieldPath, axes: &[usize], found: &mut Diagnostics) -> Option<Template> {
        let (text, place) = match (kind.path(), self.table.spec.output.path.as_deref()) {
            (Some(own), _) => (own, at.key("path")),
            (None, Some(common)) => (common, FieldPath::campaign().key("output").key("path")),
            (None, None) => return None,
        };
        let template = compile(text, place, found)?;
        let mut available = self.available(axes, false);
        available.add("ext", Known::Text);
        self.check_template(&template, &available, at, found);
        Some(template)
    }

    fn condition(&self, kind: &dyn StepKind, at: &FieldPath, axes: &[usize], found: &mut Diagnostics) -> Option<Condition> {
        let source = kind.when()?;
        let at = at.key("when");
        let condition = match Condition::compile(source, at.clone()) {
            Ok(condition) => condition,
            Err(problem) => {
                found.push(template_diagnostic(&problem, &at, assignment_help(source)));
                return None;
            }
        };
        let available = self.available(axes, false);
        for (problem, help) in available.check_condition(&condition) {
            found.push(template_diagnostic(&problem, &at, help));
        }
        if let Some(range) = number_comparison(source).filter(|range| !source[range.clone()].starts_with("take")) {
            let finding = Diagnostic::error(
                "text-compared-with-number",
                at.clone().inside(range),
                "a column of a table is text, and text never equals a number",
            );
            found.push(finding.help("write `(sku.price | float) > 100` to compare as numbers, or quote the number to compare as text"));
        }
        Some(condition)
    }
}

fn compile(text: &str, at: FieldPath, found: &mut Diagnostics) -> Option<Template> {
    match Template::compile(text, at.clone()) {
        Ok(template) => Some(template),
        Err(problem) => {
            found.push(template_diagnostic(&problem, &at, None));
            None
        }
    }
}
