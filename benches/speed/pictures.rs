//! Delivered pictures a second of processor time: a PNG of 2048x2048 is decoded, cropped to 4:5, scaled to 1080x1350 by Lanczos, and encoded.
//!
//! Ours is measured as it is used, through `imaging::transform`, with its checks and limits. The peers are libvips through `pyvips`, and `sharp`,
//! each in a process of its own that does the same work from memory to memory, its cache of operations switched off; sharp writes the chroma of
//! its JPEGs in full, as the other two do at this quality. What starting a process costs is taken off: a long run less a short one.
//!
//! Nothing is installed here. Peers: `pip install "pyvips[binary]"`, `npm install sharp`; `PYTHON` and `NODE_PATH` say where they are, if they
//! are not where one looks first.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use callsheet::imaging::{Limits, THUMBNAIL_SIDE, decode, encode, thumbnail, transform, verify, verify_and_shrink};
use callsheet::types::operation::{Anchor, TransformOp};
use callsheet::types::{ImageFormat, Ratio};

use crate::cases::Setup;
use crate::child::measure;
use crate::photo::png;
use crate::table::{Row, Wanted, median};

/// First argument of the helper that transforms.
pub const HELPER: &str = "--transform-pictures";

/// Pictures of a short run; a long one has [`LONG`].
const SHORT: usize = 2;
/// Pictures of a long run.
const LONG: usize = 14;

const PYTHON: &str = r#"
import sys, pyvips
pyvips.cache_set_max(0)
data = open(sys.argv[1], "rb").read()
for _ in range(int(sys.argv[3])):
    picture = pyvips.Image.new_from_buffer(data, "", access="sequential").extract_area(205, 0, 1638, 2048)
    picture = picture.resize(1080 / 1638, vscale=1350 / 2048, kernel="lanczos3")
    made = picture.jpegsave_buffer(Q=90) if sys.argv[2] == "jpeg" else picture.webpsave_buffer(Q=85)
    assert len(made) > 1000
"#;

const NODE: &str = r#"
const sharp = require("sharp");
const [file, format, count] = process.argv.slice(2);
sharp.cache(false);
const data = require("fs").readFileSync(file);
(async () => {
    for (let i = 0; i < Number(count); i++) {
        const picture = sharp(data).extract({ left: 205, top: 0, width: 1638, height: 2048 }).resize(1080, 1350, { fit: "fill", kernel: "lanczos3" });
        const made = await (format === "jpeg" ? picture.jpeg({ quality: 90, chromaSubsampling: "4:4:4" }) : picture.webp({ quality: 85 })).toBuffer();
        if (made.length < 1000) throw new Error("too small");
    }
})();
"#;

/// Is the helper: transforms a file, or looks at it, as often as it is told.
pub fn help(args: &[String]) -> ExitCode {
    let [file, format, count] = args else { return ExitCode::from(2) };
    let (Ok(bytes), Ok(count)) = (std::fs::read(file), count.parse::<usize>()) else { return ExitCode::from(2) };
    let limits = Limits::default();
    let looked = |what: &str| match what {
        "check" => verify(&bytes, &limits).is_ok(),
        "check and shrink" => verify_and_shrink(&bytes, &limits).is_ok_and(|(_, small)| small.is_some()),
        _ => thumbnail(&bytes, THUMBNAIL_SIDE).is_ok(),
    };
    if ["check", "check and shrink", "shrink"].contains(&format.as_str()) {
        return if (0..count).all(|_| looked(format)) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (format, quality) = if format == "jpeg" { (ImageFormat::Jpeg, 90) } else { (ImageFormat::Webp, 85) };
    let ops = [
        TransformOp::Crop { ratio: Ratio::new(4, 5), anchor: Anchor::Center },
        TransformOp::Resize { width: Some(1080), height: Some(1350) },
        TransformOp::Encode { format, quality: Some(quality) },
    ];
    let made = (0..count).all(|_| transform(&bytes, &[], &ops).is_ok_and(|(bytes, _)| bytes.len() > 1000));
    if made { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a small copy of a photograph costs: beside the check that each picture undergoes as it comes in, and made by itself later.
pub fn thumbnails(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let own = std::env::current_exe().expect("the bench knows where it stands").display().to_string();
    let png = png(1024, 1024, 2);
    let limits = Limits::default();
    let picture = decode(&png, &limits).expect("it was just written");
    let jpeg = encode(&picture, ImageFormat::Jpeg, Some(90), &[]).expect("it can be written");
    let row = |(name, bytes): (&str, &[u8])| {
        let file = place.join(name);
        std::fs::write(&file, bytes).expect("it can be written");
        let file = file.display().to_string();
        let cost = |what: &str, count: &str| measure(&place, 0, &own, &[HELPER, &file, what, count]).cpu.as_secs_f64();
        let each = |what: &str| (cost(what, "220") - cost(what, "20")).max(1e-9) / 200.0;
        let rounds: Vec<[f64; 3]> = (0..setup.rounds(7)).map(|_| ["check and shrink", "check", "shrink"].map(each)).collect();
        let of = |which: usize| median(rounds.iter().map(|round| round[which]));
        let ratio = median(rounds.iter().map(|[both, check, shrink]| both / (check + shrink)));
        let millis = |seconds: f64| format!("{:.2} CPU ms", seconds * 1e3);
        [
            Row::against(
                format!("{name} of 1024x1024, check and thumbnail in one : in two"),
                millis(of(0)),
                millis(of(1) + of(2)),
                ratio,
                Wanted::AtMost(0.8, None),
            ),
            Row::alone("the check alone", of(1) * 1e3, " CPU ms", Wanted::Nothing),
            Row::alone("the thumbnail alone", of(2) * 1e3, " CPU ms", Wanted::Nothing),
        ]
    };
    [("PNG", &png[..]), ("JPEG", &jpeg[..])].into_iter().flat_map(row).collect()
}

/// A peer: its name, how it is started, how it is installed.
struct Peer {
    name: &'static str,
    program: String,
    script: PathBuf,
    /// Ends well only where the peer is there.
    probe: [&'static str; 2],
    install: &'static str,
}

/// Measures both formats against every peer that is there.
pub fn pictures(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let file = place.join("photo.png");
    std::fs::write(&file, png(2048, 2048, 1)).expect("it can be written");
    let peers = [
        Peer {
            name: "pyvips",
            program: std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned()),
            script: place.join("peer.py"),
            probe: ["-c", "import pyvips"],
            install: "pip install \"pyvips[binary]\"",
        },
        Peer {
            name: "sharp",
            program: "node".to_owned(),
            script: place.join("peer.js"),
            probe: ["-e", "require('sharp')"],
            install: "npm install sharp, and NODE_PATH",
        },
    ];
    for (peer, script) in peers.iter().zip([PYTHON, NODE]) {
        std::fs::write(&peer.script, script).expect("the script can be written");
    }
    let formats = ["jpeg", "webp"];
    formats
        .into_iter()
        .flat_map(|format| peers.iter().map(move |peer| (format, peer)))
        .map(|(format, peer)| against(setup, peer, &place, &file, format))
        .collect()
}

fn against(setup: &Setup, peer: &Peer, place: &Path, file: &Path, format: &str) -> Row {
    let what = format!("PNG 2048x2048 to {format} 1080x1350 : {}", peer.name);
    let probed = Command::new(&peer.program).args(peer.probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !probed.is_ok_and(|status| status.success()) {
        return Row::skipped(what, &format!("not installed: {}", peer.install));
    }
    let own = std::env::current_exe().expect("the bench knows where it stands").display().to_string();
    let (file, script) = (file.display().to_string(), peer.script.display().to_string());
    let cost = |program: &str, first: &str, count: usize| measure(place, 0, program, &[first, &file, format, &count.to_string()]).cpu.as_secs_f64();
    let each = |program: &str, first: &str| (cost(program, first, LONG) - cost(program, first, SHORT)).max(1e-6) / (LONG - SHORT) as f64;
    let pairs: Vec<(f64, f64)> = (0..setup.rounds(7)).map(|_| (each(&own, HELPER), each(&peer.program, &script))).collect();
    let per_second = |seconds: f64| format!("{:.1} / CPU s", 1.0 / seconds);
    let ratio = median(pairs.iter().map(|(ours, peers)| peers / ours));
    let (ours, peers): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    Row::against(what, per_second(median(ours)), per_second(median(peers)), ratio, Wanted::AtLeast(0.9))
}
