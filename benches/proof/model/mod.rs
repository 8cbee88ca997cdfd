//! Every state that the submit protocol can reach, within small bounds: all orders of sending, taking, answering, losing, dying
//! and starting again, not samples of them.
//!
//! ```text
//! state = ledger records x provider's books x what is on the wire x what the process remembers
//!         breadth first, each state once; from each, every step that any part could take next
//! ```
//!
//! Real: [`callsheet::engine::machine::step`], the ledger's rules and fold. Time is left out: a wait may end at any moment.
//! The provider is the one of the README's exactly-once chapter: no idempotency key, unless a variant says so.
//!
//! In: [`Bounds`] and a [`Variant`]. Out: [`Explored`], or the shortest way to a bad state. Never: randomness.

mod state;
mod steps;

use std::collections::{HashMap, VecDeque};

use callsheet::engine::OnDoubt;
use state::State;

/// How much may happen.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Shots; the second takes the first one's picture, the others stand alone.
    pub shots: usize,
    /// Deaths of the process.
    pub crashes: u8,
    /// Requests or answers that vanish.
    pub losses: u8,
    /// Submits and tasks that fail openly.
    pub failures: u8,
    /// Words of the user about shots in doubt.
    pub verdicts: u8,
}

/// What kind of provider and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// What happens to doubt.
    pub on_doubt: OnDoubt,
    /// Whether the provider honours idempotency keys.
    pub idempotent: bool,
    /// Whether the answer to a submit is the picture.
    pub synchronous: bool,
    /// Whether it charges on acceptance.
    pub charged_on_submit: bool,
}

/// A mistake that is built in on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A submit without an answer counts as one that never arrived.
    ResendBlindly,
    /// The provider's task is not written down.
    ForgetTheTask,
    /// The request leaves before the intent is durable.
    ForgetTheIntent,
    /// What is in doubt is given back.
    ReleaseDoubt,
    /// No cap is asked about.
    IgnoreTheCap,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ResendBlindly, Self::ForgetTheTask, Self::ForgetTheIntent, Self::ReleaseDoubt, Self::IgnoreTheCap];
}

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Explored {
    /// States, each once.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Steps to the farthest of them.
    pub depth: usize,
    /// States in which nothing is left to do.
    pub ends: usize,
}

/// A bad state, and the shortest way to it.
#[derive(Debug)]
pub struct Bad {
    /// What is wrong with it.
    pub what: String,
    /// The steps that lead there.
    pub way: Vec<String>,
}

/// Every variant.
pub fn variants() -> Vec<Variant> {
    let mut all = Vec::new();
    for on_doubt in [OnDoubt::Hold, OnDoubt::Resend] {
        for idempotent in [false, true] {
            // A picture that is the answer is charged with the answer, whatever the provider calls it.
            for (synchronous, charged_on_submit) in [(false, true), (false, false), (true, true)] {
                all.push(Variant { on_doubt, idempotent, synchronous, charged_on_submit });
            }
        }
    }
    all
}

/// Visits every state.
///
/// # Errors
/// The first bad state: a rule is broken, nothing moves although something is left to do, or no way leads to an end any more.
pub fn explore(bounds: Bounds, variant: Variant, mutation: Option<Mutation>) -> Result<Explored, Box<Bad>> {
    let mut search = Search::default();
    let first = State::first(bounds, variant, mutation);
    search.visit(first, None, "the beginning".to_owned());
    let mut explored = Explored::default();
    while let Some((number, state)) = search.open.pop_front() {
        explored.depth = search.nodes[number].depth as usize;
        state.check().map_err(|what| search.bad(number, what))?;
        let steps = state.steps().map_err(|what| search.bad(number, what))?;
        let moves = steps.iter().filter(|step| !step.is_fault).count();
        if moves == 0 {
            state.check_end().map_err(|what| search.bad(number, what))?;
            explored.ends += 1;
            search.nodes[number].ends = true;
        }
        for step in steps {
            explored.steps += 1;
            let to = search.visit(step.to, Some(number), step.what);
            search.nodes[to].before.push(number as u32);
        }
    }
    explored.states = search.nodes.len();
    if let Some(stuck) = search.stuck() {
        return Err(search.bad(stuck, "no way leads from here to an end".to_owned()));
    }
    Ok(explored)
}

#[derive(Default)]
struct Search {
    known: HashMap<Vec<u8>, usize>,
    nodes: Vec<Node>,
    open: VecDeque<(usize, State)>,
}

struct Node {
    from: Option<(usize, String)>,
    before: Vec<u32>,
    depth: u32,
    ends: bool,
}

impl Search {
    fn visit(&mut self, state: State, from: Option<usize>, what: String) -> usize {
        let number = self.nodes.len();
        match self.known.entry(state.canonical()) {
            std::collections::hash_map::Entry::Occupied(known) => *known.get(),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(number);
                let depth = from.map_or(0, |from| self.nodes[from].depth + 1);
                self.nodes.push(Node { from: from.map(|from| (from, what)), before: Vec::new(), depth, ends: false });
                self.open.push_back((number, state));
                number
            }
        }
    }

    fn bad(&self, number: usize, what: String) -> Box<Bad> {
        let mut way = Vec::new();
        let mut at = number;
        while let Some((from, step)) = &self.nodes[at].from {
            way.push(step.clone());
            at = *from;
        }
        way.reverse();
        Box::new(Bad { what, way })
    }

    /// Returns a state from which no end can be reached.
    fn stuck(&self) -> Option<usize> {
        let mut reaches: Vec<bool> = self.nodes.iter().map(|node| node.ends).collect();
        let mut open: Vec<usize> = (0..self.nodes.len()).filter(|number| reaches[*number]).collect();
        while let Some(number) = open.pop() {
            for before in &self.nodes[number].before {
                if !std::mem::replace(&mut reaches[*before as usize], true) {
                    open.push(*before as usize);
                }
            }
        }
        reaches.iter().position(|reaches| !reaches)
    }
}

/// Returns whether a built-in mistake leads to a bad state, in the smallest bounds that allow it.
pub fn is_found(mutation: Mutation) -> bool {
    let bounds = Bounds { shots: 2, crashes: 1, losses: 1, failures: 0, verdicts: 0 };
    let variant = Variant { on_doubt: OnDoubt::Hold, idempotent: false, synchronous: false, charged_on_submit: true };
    explore(bounds, variant, Some(mutation)).is_err()
}
