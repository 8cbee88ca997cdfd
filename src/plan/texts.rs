//! Renders a step's templates once for each combination of the axes that they really use.
//!
//! 1,000 products x 2 angles x 50 surfaces are 100,000 shots, but only 1,000 subjects, 2 cameras and 50 environments.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::Value;

use crate::campaign::variables::AxisFields;
use crate::campaign::{AxisObject, Campaign, PartText, Roots, Scope, Step, Template, TemplateProblem};

/// What a text of a step is made from.
#[derive(Debug, Clone)]
pub(super) enum Source<'a> {
    /// A template.
    Template(&'a Template),
    /// The rung of an axis.
    Rung(usize),
}

impl<'a> From<&'a PartText> for Source<'a> {
    fn from(part: &'a PartText) -> Self {
        match part {
            PartText::Own(template) => Self::Template(template),
            PartText::Rung(axis) => Self::Rung(*axis),
        }
    }
}

/// A text with the results so far, by the values of the axes that it uses.
pub(super) struct Text<'a> {
    source: Source<'a>,
    /// Positions, among the step's axes, of those that the text uses.
    uses: Vec<usize>,
    /// Results by the values of those axes; not kept when every shot has its own.
    known: Option<Known<Arc<str>>>,
}

/// Results by the values of some of a step's axes.
pub(super) struct Known<T> {
    /// Position among the step's axes, and how far apart neighbours on it stand.
    strides: Vec<(usize, usize)>,
    results: Vec<Option<T>>,
}

impl<T> Known<T> {
    /// Makes room for all combinations of the axes at `uses`; `None` when those are all axes, so that nothing would be asked twice.
    pub(super) fn new(campaign: &Campaign, axes: &[usize], uses: &[usize]) -> Option<Self> {
        if uses.len() == axes.len() && !axes.is_empty() {
            return None;
        }
        let mut room = 1;
        let mut strides = Vec::with_capacity(uses.len());
        for position in uses {
            strides.push((*position, room));
            room *= campaign.axes[axes[*position]].values.len();
        }
        Some(Self { strides, results: std::iter::repeat_with(|| None).take(room).collect() })
    }

    /// Returns the place of the result for these coordinates.
    pub(super) fn place(&mut self, coordinates: &[u32]) -> &mut Option<T> {
        let place: usize = self.strides.iter().map(|(position, stride)| coordinates[*position] as usize * stride).sum();
        &mut self.results[place]
    }
}

impl<'a> Text<'a> {
    /// Prepares a text of a step with these axes.
    pub(super) fn new(campaign: &Campaign, step: &Step, axes: &[usize], source: Source<'a>) -> Self {
        let uses: Vec<usize> = uses(campaign, step, axes, &source).into_iter().collect();
        let known = Known::new(campaign, axes, &uses);
        Self { source, uses, known }
    }

    /// Returns whether results are kept, so that equal texts are one allocation.
    pub(super) fn is_shared(&self) -> bool {
        self.known.is_some()
    }

    /// Returns the positions of the axes that the text uses.
    pub(super) fn uses(&self) -> &[usize] {
        &self.uses
    }

    /// Returns the text at these coordinates.
    pub(super) fn at(&mut self, scene: &Scene<'_>, coordinates: &[u32]) -> Result<Arc<str>, TemplateProblem> {
        let Some(known) = &mut self.known else {
            return scene.render(&self.source, coordinates);
        };
        let place = known.place(coordinates);
        if let Some(text) = place {
            return Ok(Arc::clone(text));
        }
        Ok(Arc::clone(place.insert(scene.render(&self.source, coordinates)?)))
    }
}

/// Returns which of the axes a text uses, directly, through a rung or through `keep`.
fn uses<'t>(campaign: &'t Campaign, step: &'t Step, axes: &[usize], source: &Source<'t>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'t Template> = Vec::new();
    match source {
        Source::Template(template) => open.push(template),
        Source::Rung(axis) => {
            found.extend(axes.iter().position(|own| own == axis));
            open.extend(rungs(campaign, *axis));
        }
    }
    let mut keep_seen = false;
    while let Some(template) = open.pop() {
        for root in template.roots() {
            if let Some(position) = axes.iter().position(|axis| *campaign.axes[*axis].name == *root) {
                if found.insert(position) {
                    open.extend(rungs(campaign, axes[position]));
                }
            } else if root == "keep" && !keep_seen {
                keep_seen = true;
                open.extend(step.prompt.keep.as_ref());
            }
        }
    }
    found
}

fn rungs(campaign: &Campaign, axis: usize) -> impl Iterator<Item = &Template> {
    campaign.axes[axis].values.iter().filter_map(|value| value.rung.as_ref())
}

/// What all texts of one step are rendered in.
pub(super) struct Scene<'a> {
    /// The campaign.
    pub(super) campaign: &'a Campaign,
    /// The step.
    pub(super) step: &'a Step,
    /// Its axes; for a sheet's labels, those of the picture.
    pub(super) axes: &'a [usize],
}

impl Scene<'_> {
    /// Renders a text at these coordinates.
    pub(super) fn render(&self, source: &Source<'_>, coordinates: &[u32]) -> Result<Arc<str>, TemplateProblem> {
        match source {
            Source::Template(template) => template.render(&self.scope(coordinates, Some(template))?),
            Source::Rung(axis) => self.rung(*axis, coordinates),
        }
    }

    /// Returns the variables at these coordinates; rungs and `keep` only if `template` uses them.
    fn scope(&self, coordinates: &[u32], template: Option<&Template>) -> Result<Arc<dyn Roots>, TemplateProblem> {
        let mut scope = Scope::default();
        let roots = template.map(Template::roots);
        let wanted = |name: &str| roots.as_ref().is_none_or(|roots| roots.contains(name));
        for (axis, place) in self.axes.iter().zip(coordinates) {
            let axis_ix = *axis;
            let axis = &self.campaign.axes[axis_ix];
            if !wanted(&axis.name) {
                continue;
            }
            let value = &axis.values[*place as usize];
            let shown = if value.rung.is_some() {
                let text = Some(self.rung(axis_ix, coordinates)?);
                Value::from_object(AxisObject { key: Arc::clone(&value.key), text, fields: AxisFields::None })
            } else {
                value.value.clone()
            };
            scope.values.push((Arc::clone(&axis.name), shown));
        }
        self.common(&mut scope);
        if let Some(keep) = self.step.prompt.keep.as_ref().filter(|_| wanted("keep") && template.is_some()) {
            let is_itself = template.is_some_and(|template| std::ptr::eq(template, keep));
            if !is_itself {
                scope.push("keep", Value::from(keep.render(&self.scope(coordinates, Some(keep))?)?));
            }
        }
        Ok(Arc::new(scope))
    }

    fn common(&self, scope: &mut Scope) {
        scope.push("vars", self.campaign.vars.clone());
        scope.push("campaign", Value::from(&self.campaign.name));
        scope.push("step", Value::from(self.step.written_name()));
    }

    fn rung(&self, axis: usize, coordinates: &[u32]) -> Result<Arc<str>, TemplateProblem> {
        let position = self.axes.iter().position(|own| *own == axis).unwrap_or_default();
        let value = &self.campaign.axes[axis].values[coordinates[position] as usize];
        let Some(template) = &value.rung else {
            return Ok(Arc::from(value.value.to_string()));
        };
        // A rung sees the plain axes only: its own text, or another rung's, would never end.
        let mut scope = Scope::default();
        for (own, place) in self.axes.iter().zip(coordinates).filter(|(own, _)| **own != axis) {
            let other = &self.campaign.axes[*own];
            scope.values.push((Arc::clone(&other.name), other.values[*place as usize].value.clone()));
        }
        self.common(&mut scope);
        let roots: Arc<dyn Roots> = Arc::new(scope);
        template.render(&roots)
    }

    /// Returns the variables of conditions: axes print their keys.
    pub(super) fn keyed(&self, coordinates: &[u32]) -> Arc<dyn Roots> {
        let mut scope = Scope::default();
        for (axis, place) in self.axes.iter().zip(coordinates) {
            let axis = &self.campaign.axes[*axis];
            scope.values.push((Arc::clone(&axis.name), axis.values[*place as usize].keyed.clone()));
        }
        self.common(&mut scope);
        Arc::new(scope)
    }
}
