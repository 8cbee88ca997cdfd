//! From what the author wrote to what it means, in one pass that finds every mistake.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::civil::Date;
use minijinja::value::{Serde, Value};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::axes::axes;
use super::baselines::baselines;
use super::limits;
use super::names::{Used, unknown};
use super::steps::{StepTable, Steps};
use super::{Campaign, Inserted, Step};
use crate::catalog::Catalog;
use crate::spec::{CampaignSpec, ProfileSpec, Table};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, FieldPath};

/// A campaign with what was said on the way.
#[derive(Debug)]
pub struct Resolved {
    /// The campaign.
    pub campaign: Campaign,
    /// Warnings; never errors.
    pub warnings: Diagnostics,
}

/// Settles a campaign against a catalog, as of `today`, in the version of `profile`.
///
/// # Errors
/// All mistakes, in the order of the file's parts; warnings among them.
pub fn resolve(
    spec: &CampaignSpec,
    tables: &IndexMap<String, Table>,
    catalog: &Catalog,
    profile: Option<&str>,
    today: Date,
) -> Result<Resolved, Diagnostics> {
    let mut found = Diagnostics::new();
    let nothing = ProfileSpec::default();
    let chosen = profile.and_then(|name| spec.profiles.get_key_value(name));
    let profile_spec = chosen.map_or(&nothing, |(_, profile)| profile);
    check_profiles(spec, &mut found);

    let axes = axes(spec, tables, &profile_spec.sample, &mut found);
    let baselines = baselines(&spec.baselines, &mut found);
    check_ladders(spec, &mut found);
    let order = order(spec, &mut found);

    let profile_at = FieldPath::campaign().key("profiles").key(chosen.map_or("", |(name, _)| name)).key("defaults");
    let table = StepTable { spec, baselines: &baselines, catalog, today, profile: (&profile_spec.defaults, profile_at) };
    let mut steps = Steps::new(table, axes);
    for name in &order {
        steps.add(name, &mut found);
    }
    let (axes, steps, used) = steps.finish();
    check_unused(spec, &used, &mut found);

    let budget = limits::budget(spec, chosen.map(|(name, profile)| (name.as_str(), profile)), catalog, &mut found);
    let campaign = Campaign {
        name: Arc::from(spec.campaign.as_str()),
        description: spec.description.clone(),
        provider: spec.provider.as_deref().map(Arc::from),
        vars: Value::from(Serde(&spec.vars)),
        axes,
        steps,
        budget,
        run: limits::run(spec),
        profile: chosen.map(|(name, _)| Arc::from(name.as_str())),
        until: profile_spec.until.as_deref().map(Arc::from),
        sidecar: spec.output.sidecar,
        allowed: spec.lint.allow.clone(),
    };
    check_size(&campaign, &mut found);
    if found.has_errors() { Err(found) } else { Ok(Resolved { campaign, warnings: found }) }
}

fn check_profiles(spec: &CampaignSpec, found: &mut Diagnostics) {
    for (name, profile) in &spec.profiles {
        let at = FieldPath::campaign().key("profiles").key(name);
        for (axis, count) in &profile.sample {
            let known = || spec.axes.keys().chain(spec.ladders.keys()).map(String::as_str);
            let at = at.key("sample").key(axis);
            if !known().any(|known| known == axis) {
                found.push(unknown("unknown-axis", at.clone().at_key(), "axis", axis, known()));
            } else if *count == 0 {
                found.push(Diagnostic::error("empty-axis", at, "a sample of 0 values leaves nothing to make").help("keep at least 1"));
            }
        }
        if let Some(until) = profile.until.as_ref().filter(|until| !spec.steps.contains_key(*until)) {
            found.push(unknown("unknown-step", at.key("until"), "step", until, spec.steps.keys().map(String::as_str)));
        }
    }
}

fn check_ladders(spec: &CampaignSpec, found: &mut Diagnostics) {
    for (name, ladder) in &spec.ladders {
        let at = FieldPath::campaign().key("ladders").key(name);
        if !spec.baselines.contains_key(&ladder.baseline) {
            found.push(unknown("unknown-baseline", at.key("baseline"), "baseline", &ladder.baseline, spec.baselines.keys().map(String::as_str)));
        }
    }
}

/// Returns the steps in an order in which makers stand before takers, else as the author wrote them.
///
/// Steps on a cycle, or behind an unknown step, are noted and left out.
fn order(spec: &CampaignSpec, found: &mut Diagnostics) -> Vec<String> {
    let names: Vec<&String> = spec.steps.keys().collect();
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(names.len(), names.len());
    let nodes: Vec<NodeIndex> = names.iter().map(|_| graph.add_node(())).collect();
    let mut broken: BTreeSet<usize> = BTreeSet::new();
    for (taker, step) in spec.steps.values().enumerate() {
        for input in step.kind().inputs() {
            match names.iter().position(|name| *name == input.from) {
                Some(maker) => {
                    graph.update_edge(nodes[maker], nodes[taker], ());
                }
                None => {
                    broken.insert(taker);
                    let mut at = step_at(names[taker], step.kind().name());
                    for part in &input.at {
                        at = part.parse().map_or_else(|_| at.key(part), |index| at.index(index));
                    }
                    let message =
                        format!("step `{}` takes its {} from `{}`, but no step has that name", names[taker], input.role.label(), input.from);
                    let help = match did_you_mean(input.from, names.iter().map(|name| name.as_str())) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "files come in through a `load` step".to_owned(),
                    };
                    found.push(Diagnostic::error("unknown-input", at, message).label(format!("steps are {}", listed(&names, 8))).help(help));
                }
            }
        }
    }
    for component in tarjan_scc(&graph) {
        let on_itself = component.len() == 1 && graph.contains_edge(component[0], component[0]);
        if component.len() > 1 || on_itself {
            broken.extend(component.iter().map(|node| node.index()));
            found.push(cycle(&graph, &component, &names, spec));
        }
    }
    let acyclic = graph.filter_map(
        |_, ()| Some(()),
        |edge, ()| {
            let (maker, taker) = graph.edge_endpoints(edge)?;
            (!broken.contains(&maker.index()) && !broken.contains(&taker.index())).then_some(())
        },
    );
    // Who takes a picture from a broken step is left out silently: the cause is already said.
    let mut spread = true;
    while spread {
        spread = false;
        for edge in graph.edge_indices() {
            if let Some((maker, taker)) = graph.edge_endpoints(edge) {
                spread |= broken.contains(&maker.index()) && broken.insert(taker.index());
            }
        }
    }
    stable_order(&acyclic, &names, &broken)
}

fn step_at(name: &str, kind: &str) -> FieldPath {
    FieldPath::campaign().key("steps").key(name).key(kind)
}

fn cycle(graph: &DiGraph<(), ()>, component: &[NodeIndex], names: &[&String], spec: &CampaignSpec) -> Diagnostic {
    // Walk from the first step of the file along edges inside the component until a step comes again.
    let first = component.iter().copied().min().unwrap_or_default();
    let mut path = vec![first];
    let mut current = first;
    loop {
        let next = graph.neighbors(current).filter(|node| component.contains(node)).min_by_key(|node| (*node != first, path.contains(node), *node));
        let Some(next) = next else { break };
        path.push(next);
        if next == first || path.iter().filter(|node| **node == next).count() > 1 {
            break;
        }
        current = next;
    }
    let loop_start = path.iter().position(|node| Some(node) == path.last()).unwrap_or(0);
    let shown: Vec<&str> = path[loop_start..].iter().map(|node| names[node.index()].as_str()).collect();
    let name = names[path[loop_start].index()];
    let kind = spec.steps.get(name).map_or("", |step| step.kind().name());
    Diagnostic::error("cycle", step_at(name, kind).key("image"), format!("steps take their pictures from each other: {}", shown.join(" -> ")))
        .help("a chain needs a first step: `generate` or `load`")
}

/// A topological order that follows the author's where it can.
fn stable_order(graph: &DiGraph<(), ()>, names: &[&String], broken: &BTreeSet<usize>) -> Vec<String> {
    let mut order: Vec<usize> = Vec::new();
    let mut placed = vec![false; names.len()];
    // The author's order, each step pulled forward only behind what it needs.
    while order.len() < names.len() {
        let ready = (0..names.len()).find(|step| {
            !placed[*step] && graph.neighbors_directed(NodeIndex::new(*step), petgraph::Direction::Incoming).all(|maker| placed[maker.index()])
        });
        let Some(ready) = ready else { break };
        placed[ready] = true;
        order.push(ready);
    }
    order.into_iter().filter(|step| !broken.contains(step)).map(|step| names[step].clone()).collect()
}

fn check_unused(spec: &CampaignSpec, used: &Used, found: &mut Diagnostics) {
    if used.incomplete || found.has_errors() {
        return;
    }
    let root = FieldPath::campaign();
    for name in spec.baselines.keys().filter(|name| !used.baselines.contains(*name)) {
        let finding =
            Diagnostic::error("unused-baseline", root.key("baselines").key(name).at_key(), format!("no step or ladder uses the baseline `{name}`"));
        found.push(finding.help("name it in a step, or remove it"));
    }
    for name in spec.ladders.keys().filter(|name| !used.ladders.contains(*name)) {
        let finding = Diagnostic::error("unused-ladder", root.key("ladders").key(name).at_key(), format!("no step climbs the ladder `{name}`"));
        found.push(finding.help(format!("add `ladder: {name}` to a step, or remove it")));
    }
    for name in spec.axes.keys().filter(|name| !used.axes.contains(*name)) {
        let finding = Diagnostic::error("unused-axis", root.key("axes").key(name).at_key(), format!("no step fans out over the axis `{name}`"));
        found.push(finding.help(format!("add it to a step's `over: [{name}]`, or remove it")));
    }
    for name in spec.vars.keys().filter(|name| !used.vars.contains(*name)) {
        found.push(Diagnostic::warning("unused-var", root.key("vars").key(name).at_key(), format!("no template uses `vars.{name}`")));
    }
}

/// Counts the expansion without building it.
fn check_size(campaign: &Campaign, found: &mut Diagnostics) {
    let count = |step: &Step| step.axes.iter().map(|axis| campaign.axes[*axis].values.len() as u128).product::<u128>();
    // Sources are prepared once for each picture, not for each shot that takes it, and most need nothing.
    let counted = || campaign.steps.iter().filter(|step| !matches!(step.inserted, Some(Inserted::Source(_))));
    let total: u128 = counted().map(count).sum();
    if total <= u128::from(campaign.run.max_jobs) {
        return;
    }
    let Some(largest) = counted().max_by_key(|step| count(step)) else { return };
    let factors: Vec<String> =
        largest.axes.iter().map(|axis| format!("{} {}", campaign.axes[*axis].values.len(), campaign.axes[*axis].name)).collect();
    let message = format!("the campaign would have {total} shots; `run.max-jobs` is {}", campaign.run.max_jobs);
    let finding = Diagnostic::error("too-many-jobs", largest.at.clone().at_key(), message);
    found.push(
        finding.label(format!("{} = {} shots", factors.join(" x "), count(largest))).help("fan out over fewer values, or raise `run.max-jobs`"),
    );
}
