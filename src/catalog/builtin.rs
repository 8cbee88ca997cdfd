//! The price books and iteration factors that come with the program; only what is asked for is read.

use super::book::PriceBook;
use crate::types::Micros;

/// Name and text of each embedded book.
macro_rules! books {
    ($($name:literal),* $(,)?) => {
        const BOOKS: &[(&str, &str)] = &[$(($name, include_str!(concat!("books/", $name, ".yaml")))),*];
        const NAMES: &[&str] = &[$($name),*];
    };
}

books!["bestphoto-hd", "gptimage2-flat", "imagineart-studio", "kie", "openai", "qolaba-app"];

/// How many pictures are made for one that is kept, by how one works; of a published guide of 2026-05-04.
const ITERATION_FACTORS: &[(&str, Micros)] =
    &[("strict", Micros::new(1_200_000)), ("explore", Micros::new(1_800_000)), ("blank-box", Micros::new(2_500_000))];

/// Returns the embedded book called `name`.
pub fn book(name: &str) -> Option<PriceBook> {
    let text = book_text(name)?;
    Some(PriceBook::embedded(text).expect("a test reads every embedded book"))
}

/// Returns the text of the embedded book called `name`.
pub fn book_text(name: &str) -> Option<&'static str> {
    BOOKS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of the embedded books, in order.
pub fn book_names() -> &'static [&'static str] {
    NAMES
}

/// Returns the factor of a way of working: `strict` 1.2, `explore` 1.8, `blank-box` 2.5.
pub fn iteration_factor(name: &str) -> Option<Micros> {
    ITERATION_FACTORS.iter().find(|(known, _)| *known == name).map(|(_, factor)| *factor)
}

/// Returns the names and factors of all ways of working, the calmest first.
pub fn iteration_factors() -> &'static [(&'static str, Micros)] {
    ITERATION_FACTORS
}
