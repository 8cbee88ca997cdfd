//! What buying costs: the real program against a provider on this machine that answers at once, beside the least client there is.

use std::fmt::Write as _;
use std::path::Path;

use callsheet::provider::manifest::builtin_text;

use crate::campaign::FILE;
use crate::cases::{Setup, thousands};
use crate::child::{Cost, measure, measure_with};
use crate::server::{KEY, Play, SPAN, Server};
use crate::table::{Row, Wanted, median};
use crate::yardstick::{CAREFUL, CARELESS, WORKERS, YARDSTICK};

const MIB: f64 = (1u64 << 20) as f64;

/// Bytes of a usual picture.
const USUAL: usize = 100_000;

/// Bytes of a large one.
const LARGE: usize = 8_000_000;

/// How the answer to a submit looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A task, which brings an address.
    Task,
    /// The picture, in base64.
    Picture,
}

impl Shape {
    /// Writes a campaign of so many pictures.
    fn write(self, folder: &Path, pictures: usize, windows: &str) {
        let mut rows = "sku\n".to_owned();
        for row in 0..pictures {
            writeln!(rows, "sku-{row}").expect("a string takes all");
        }
        std::fs::write(folder.join("rows.csv"), rows).expect("the rows can be written");
        let (provider, quality) = match self {
            Self::Task => ("kie", ""),
            Self::Picture => ("openai", ", quality: medium"),
        };
        std::fs::write(folder.join("seller.yaml"), manifest(provider, windows)).expect("the manifest can be written");
        let campaign = format!(
            "callsheet: 1\ncampaign: speed\nprovider: seller.yaml\n\
             defaults: {{ model: gpt-image-2, aspect: \"1:1\", resolution: 1K{quality} }}\n\
             axes: {{ sku: {{ csv: rows.csv, key: sku }} }}\n\
             steps: {{ hero: {{ generate: {{ prompt: \"a cup called {{{{ sku }}}}\", over: [sku], path: \"{{{{ sku }}}}.{{{{ ext }}}}\" }} }} }}\n\
             run: {{ concurrency: {WORKERS}, attempts: 1 }}\n"
        );
        std::fs::write(folder.join(FILE), campaign).expect("the campaign can be written");
    }

    fn run(self, setup: &Setup, folder: &Path, server: &Server) -> Cost {
        let base = match self {
            Self::Task => format!("kie={}", server.url),
            Self::Picture => format!("openai={}/v1", server.url),
        };
        let words = ["run", FILE, "--yes", "--quiet", "--base-url", &base];
        measure_with(folder, 0, setup.callsheet(), &words, &[("KIE_API_KEY", KEY), ("OPENAI_API_KEY", KEY)])
    }
}

/// Returns a built-in manifest with other rates, no bound on places, and questions as often as the answers come.
fn manifest(name: &str, windows: &str) -> String {
    let text = builtin_text(name).expect("a built-in manifest");
    let mut lines = Vec::new();
    let mut inside = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            inside = match line.split(':').next() {
                Some("limits") => "limits",
                Some("poll") => "poll",
                _ => "",
            };
            match inside {
                "limits" => lines.push(format!("limits: {{ windows: [{windows}] }}")),
                "poll" => lines.push("poll: { start: 0s, steps: [{ from: 0s, every: 1ms }], deadline: 15m }".to_owned()),
                _ => {}
            }
        }
        if inside.is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// One of those who buy.
type Side = fn(&Round) -> Cost;

/// What a round of buying cost: us, the client that takes pictures as they come, and the one that decodes and flushes them.
struct Round {
    ours: Cost,
    careless: Cost,
    careful: Cost,
}

/// Buys a campaign of pictures of 100 KB, in turns with the least clients.
pub fn overhead(setup: &Setup) -> Vec<Row> {
    let count = setup.rows(1_000);
    let server = Server::start(Play { bytes: USUAL, together: 1, rate: 0 });
    let own = std::env::current_exe().expect("the bench knows where it stands").to_string_lossy().into_owned();
    let least = |manner: &str| measure(&setup.folder(), 0, &own, &[YARDSTICK, &server.url, &count.to_string(), manner]);
    let mut rounds = Vec::new();
    for _ in 0..setup.rounds(5) {
        let folder = setup.folder();
        Shape::Task.write(&folder, count, "");
        rounds.push(Round { ours: Shape::Task.run(setup, &folder, &server), careless: least(CARELESS), careful: least(CAREFUL) });
    }
    let cpu = |of: Side| median(rounds.iter().map(|round| of(round).cpu.as_secs_f64())) * 1e3 / count as f64;
    let pace = |of: Side| median(rounds.iter().map(|round| count as f64 / of(round).wall.as_secs_f64()));
    let peak = median(rounds.iter().map(|round| round.ours.peak as f64)) / MIB;
    let what = format!("buying {} pictures of 100 KB", thousands(count));
    let millis = |each: f64| format!("{each:.2} CPU ms");
    let shown = |pace: f64| format!("{pace:.0}/s");
    let mut rows = Vec::new();
    let sides: [(&str, Side); 2] = [("least client", |round| round.careless), ("the same that decodes and flushes", |round| round.careful)];
    for (name, peer) in sides {
        let more = median(rounds.iter().map(|round| round.ours.cpu.as_secs_f64() / peer(round).cpu.as_secs_f64()));
        let slower = median(rounds.iter().map(|round| peer(round).wall.as_secs_f64() / round.ours.wall.as_secs_f64()));
        let (ours, theirs) = (millis(cpu(|round| round.ours)), millis(cpu(peer)));
        rows.push(Row::against(format!("{what}, each : {name}"), ours, theirs, more, Wanted::AtMost(2.0, Some(1.3))));
        let (ours, theirs) = (shown(pace(|round| round.ours)), shown(pace(peer)));
        rows.push(Row::against(format!("{what}, pace : {name}"), ours, theirs, slower, Wanted::AtLeast(0.5)));
    }
    rows.push(Row::alone(format!("{what}, {WORKERS} at once, peak memory"), peak, " MiB", Wanted::AtMost(64.0, Some(24.0))));
    rows
}

/// Large results, as many as there are places, all at once.
pub fn results(setup: &Setup) -> Vec<Row> {
    let row = |(shape, what, wanted): (Shape, &str, Wanted)| {
        let server = Server::start(Play { bytes: LARGE, together: WORKERS, rate: 0 });
        let peaks = (0..setup.rounds(3)).map(|_| {
            let folder = setup.folder();
            shape.write(&folder, WORKERS, "");
            shape.run(setup, &folder, &server).peak as f64 / MIB
        });
        Row::alone(format!("peak memory, {WORKERS} results of 8 MB at once, {what}"), median(peaks), " MiB", wanted)
    };
    let shapes =
        [(Shape::Task, "downloads", Wanted::AtMost(64.0, Some(32.0))), (Shape::Picture, "base64 in JSON", Wanted::AtMost(250.0, Some(64.0)))];
    shapes.into_iter().map(row).collect()
}

/// A rate of 20 submits in 10 s, which the server enforces, and more work than it admits.
pub fn rate(setup: &Setup) -> Vec<Row> {
    let (most, count) = (20, if setup.is_quick() { 60 } else { 120 });
    let server = Server::start(Play { bytes: 10_000, together: 1, rate: most });
    let folder = setup.folder();
    Shape::Task.write(&folder, count, &format!("{{ count: {most}, span: 10s }}"));
    Shape::Task.run(setup, &folder, &server);
    let (taken, refused) = server.submits();
    assert_eq!(taken.len(), count, "every picture is bought once");
    // The first window is used at once; after that so many come in each span at best.
    let least = (count.div_ceil(most) - 1) as f64 * SPAN.as_secs_f64() * 1e3;
    let last = taken.last().copied().unwrap_or(0) as f64;
    let of = refused as f64 * 100.0 / (taken.len() + refused) as f64;
    vec![
        Row::alone(format!("{count} submits at 20 in 10 s, part of the rate used"), least * 100.0 / last.max(1.0), " %", Wanted::AtLeast(90.0)),
        Row::alone("the same, refused for their rate", of, " %", Wanted::AtMost(1.0, Some(0.0))),
    ]
}
