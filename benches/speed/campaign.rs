//! Campaigns of any size, as an author would write them: rows of a CSV, two angles, one ladder.
//!
//! ```text
//! hero: rows x 2 angles ─▶ surface: each hero x the rungs
//! ```

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Name of the campaign's file in its folder.
pub const FILE: &str = "speed.yaml";

/// How many values stand on each axis.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Rows of the CSV.
    pub rows: usize,
    /// Rungs of the ladder.
    pub rungs: usize,
}

/// Angles of every campaign here.
pub const ANGLES: usize = 2;

/// Shots under way at once.
pub const CONCURRENCY: usize = 16;

impl Matrix {
    /// Returns how many pictures are made from text.
    pub fn heroes(self) -> usize {
        self.rows * ANGLES
    }

    /// Returns how many jobs the campaign has.
    pub fn jobs(self) -> usize {
        self.heroes() * (1 + self.rungs)
    }

    /// Writes the campaign into a folder; more than `max_jobs` are to be refused.
    pub fn write(self, folder: &Path, max_jobs: usize) {
        fs::create_dir_all(folder).expect("the folder can be made");
        fs::write(folder.join("rows.csv"), self.csv()).expect("the rows can be written");
        fs::write(folder.join(FILE), self.yaml(max_jobs)).expect("the campaign can be written");
    }

    fn csv(self) -> String {
        let mut csv = "sku,title,material\n".to_owned();
        for row in 1..=self.rows {
            writeln!(csv, "sku-{row},Teapot number {row},glazed stoneware {}", row % 7).expect("a string takes all");
        }
        csv
    }

    fn yaml(self, max_jobs: usize) -> String {
        let mut rungs = String::new();
        for rung in 1..=self.rungs {
            writeln!(rungs, "      stone-{rung}: \"on a honed slab of stone number {rung}\"").expect("a string takes all");
        }
        format!(
            r#"callsheet: 1
campaign: speed
provider: kie
prices: gptimage2-flat
defaults: {{ model: gpt-image-2, aspect: "4:5", resolution: 1K }}
axes:
  sku: {{ csv: rows.csv, key: sku }}
  angle:
    front:   {{ view: "straight on at eye level, 85mm lens" }}
    quarter: {{ view: "three-quarter view from the left, slightly above, 85mm lens" }}
baselines:
  pdp:
    prompt:
      subject: "{{{{ sku.title }}}} in {{{{ sku.material }}}}"
      environment: "on a seamless off-white sweep"
      camera: "{{{{ angle.view }}}}"
      style: "photorealistic product photography"
    keep:
      - "identical shape, proportions, label and colour"
ladders:
  surface:
    baseline: pdp
    vary: environment
    rungs:
{rungs}steps:
  hero:
    generate: {{ baseline: pdp, over: [sku, angle] }}
  surface:
    edit:
      image: hero
      ladder: surface
      prompt: "Replace only the background: the product now stands {{{{ surface }}}}. {{{{ keep }}}}"
run: {{ concurrency: {CONCURRENCY}, max-jobs: {max_jobs} }}
"#
        )
    }
}
