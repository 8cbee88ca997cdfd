//! `index.html`: the campaign on one page: what was made, what it cost, what failed; pictures side by side, before and after.
//!
//! ```text
//! RunReport ── data ──> JSON that no markup can leave ──> page.html with style and script inside ──> drawn by the script, text by text
//! ```
//! In: [`RunReport`]. Out: one HTML file that needs no server and no network; pictures and thumbnails are those of the tree.
//! Never: a text of the author's or of a vendor's in markup, style or script. The policy in the page lets its own script run and no other.

mod data;
mod json;
mod said;
mod thumbnails;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use data::cells;
pub use said::Said;
pub use thumbnails::{thumbnail_path, thumbnails};

use super::run_report::RunReport;
use super::{ReportError, ReportWriter};
use crate::types::visible;

/// Name of the file.
const FILE: &str = "index.html";

/// The page around its parts, which stand where it says `{{part}}`.
const PAGE: &str = include_str!("page/page.html");

/// The style, in the order of the cascade.
const STYLES: [&str; 5] = [
    include_str!("page/base.css"),
    include_str!("page/shots.css"),
    include_str!("page/look.css"),
    include_str!("page/money.css"),
    include_str!("page/choose.css"),
];

/// The script, in the order in which its parts need each other.
const SCRIPTS: [&str; 15] = [
    include_str!("page/dom.js"),
    include_str!("page/data.js"),
    include_str!("page/diff.js"),
    include_str!("page/filter.js"),
    include_str!("page/picks.js"),
    include_str!("page/grid.js"),
    include_str!("page/zoom.js"),
    include_str!("page/look.js"),
    include_str!("page/facts.js"),
    include_str!("page/compare.js"),
    include_str!("page/money.js"),
    include_str!("page/choose.js"),
    include_str!("page/overview.js"),
    include_str!("page/follow.js"),
    include_str!("page/main.js"),
];

/// Writes `index.html`.
#[derive(Debug, Clone, Copy)]
pub struct IndexHtml;

impl ReportWriter for IndexHtml {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let (style, script) = (style(), script());
        let mut rest = PAGE;
        while let Some((before, after)) = rest.split_once("{{") {
            let (part, after) = after.split_once("}}").unwrap_or((after, ""));
            text(to, before)?;
            match part {
                "policy" => text(to, &policy(&style, &script))?,
                "title" => text(to, &escaped(&report.plan.campaign))?,
                "style" => text(to, &style)?,
                "script" => text(to, &script)?,
                "data" => json::write(&data::Page::new(report)?, to).map_err(|source| ReportError::Json { file: FILE, source })?,
                unknown => unreachable!("the page has no part `{unknown}`"),
            }
            rest = after;
        }
        text(to, rest)
    }
}

fn text(to: &mut dyn io::Write, text: &str) -> Result<(), ReportError> {
    to.write_all(text.as_bytes()).map_err(|source| ReportError::Io { file: FILE, source })
}

fn style() -> String {
    STYLES.concat()
}

/// Returns the script: its parts share one scope, and nothing of it is seen outside.
fn script() -> String {
    format!("(() => {{\n\"use strict\";\n{}\n}})();\n", SCRIPTS.concat())
}

/// Returns what a browser may do for this page: run this script, use this style, show pictures from where the page stands.
///
/// Talking to the own origin is for `callsheet review`, which takes picks; a page that was opened as a file has none.
/// Text cannot become markup even by mistake of the script: where browsers know trusted types, there are none.
fn policy(style: &str, script: &str) -> String {
    let (style, script) = (hash(style), hash(script));
    format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes())))
}

/// Returns a text that is only text, in an element as in an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in visible(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
