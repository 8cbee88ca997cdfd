//! The yardstick: ninja, the fastest tool that turns a list of things to make into an ordered graph and says what is left of it.
//!
//! It gets the same graph: one statement a job, the same edges, and output paths of the same length. What is left out favours
//! ninja: it reads a list that is already expanded, renders no prompts, hashes nothing, prices nothing and looks for no mistakes.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::campaign::{ANGLES, Matrix};

/// The program, as Debian's `ninja-build` installs it.
pub const PROGRAM: &str = "ninja";

/// Returns whether it is installed.
pub fn is_there() -> bool {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Writes `build.ninja` with as many statements as the campaign has jobs. Making one is the least that a command can do: an
/// empty file, by a builtin of the shell.
pub fn write(matrix: Matrix, folder: &Path) {
    let mut text = "rule draw\n  command = : > $out\n".to_owned();
    for row in 1..=matrix.rows {
        for angle in ["front", "quarter"].iter().take(ANGLES) {
            let shelf = format!("sku-{row}/{angle}");
            writeln!(text, "build out/{shelf}/hero.png: draw").expect("a string takes all");
            for rung in 1..=matrix.rungs {
                writeln!(text, "build out/{shelf}/stone-{rung}.png: draw out/{shelf}/hero.png").expect("a string takes all");
            }
        }
    }
    fs::create_dir_all(folder).expect("the folder can be made");
    fs::write(folder.join("build.ninja"), text).expect("the statements can be written");
}
