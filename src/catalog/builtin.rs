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

books![
    "bestphoto-hd",
    "bfl",
    "fal",
    "gemini",
    "gptimage2-flat",
    "ideogram",
    "imagineart-api",
    "imagineart-studio",
    "kie",
    "openai",
    "qolaba-api",
    "qolaba-app",
    "recraft",
    "replicate",
    "stability",
    "xai",
];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::DocId;

    #[test]
    fn every_embedded_book_reads_well_and_has_no_flaw() {
        for name in book_names() {
            let text = book_text(name).expect("a name of the list");
            let book = PriceBook::parse(DocId::CAMPAIGN, text).unwrap_or_else(|found| panic!("{name}: {found:?}"));
            assert_eq!(&*book.name, *name);
            assert_eq!(book.lint(DocId::CAMPAIGN), crate::types::Diagnostics::new(), "{name}");
            assert_eq!(book.lint_cards(DocId::CAMPAIGN, &Default::default()), crate::types::Diagnostics::new(), "{name}");
            assert!(book.as_of.is_some() && book.source.is_some(), "{name}");
            assert_eq!(super::book(name), Some(book), "both ways of reading agree");
        }
        assert_eq!(book("no-such-book"), None);
    }

    #[test]
    fn iteration_factors_are_those_of_the_guide() {
        let effective = |finals: i64, way: &str| {
            let factor = iteration_factor(way).expect("a name of the list");
            Micros::units(finals).mul_ratio_ceil(factor.get(), 1_000_000).expect("a small number").to_string()
        };
        for (finals, way, pictures) in [
            (24, "explore", "43.2"),
            (24, "strict", "28.8"),
            (24, "blank-box", "60"),
            (6, "strict", "7.2"),
            (9, "explore", "16.2"),
            (288, "explore", "518.4"),
        ] {
            assert_eq!(effective(finals, way), pictures, "{finals} finals, {way}");
        }
        assert_eq!(iteration_factor("careless"), None);
    }
}
