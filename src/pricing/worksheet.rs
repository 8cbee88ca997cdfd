//! The estimate without a campaign: so many finals of one model, on one price book.
//!
//! ```text
//! finals x takes x steps = pictures ─ x factor ─▶ effective images ─ x price ─▶ expected
//!                                                  └ rounded up a line ─▶ whole generations ─ x price ─▶ what to set aside
//! ```
//!
//! In: what is asked for, a book with what its models can do. Out: a [`Sheet`], or why there is none.
//! Never: a campaign, a float, a price of 0 for something unknown.

use std::sync::Arc;

use super::quote::BookFacts;
use super::sum::Sum;
use crate::catalog::{Aspect, Catalog, OperationCard, PriceEntry, PriceKey, PriceKind, Quote, QuoteInput, Unfit, Unpriced};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Action, Micros, MoneyError, PixelSize, Settings};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The model; may be left out where the book has one.
    pub model: Option<String>,
    /// What it does; else what it does first of all.
    pub action: Option<Action>,
    /// How it is asked.
    pub settings: Settings,
    /// Size of the input picture, for what is priced by it.
    pub input: Option<PixelSize>,
    /// Reference pictures besides the main one.
    pub references: u32,
    /// Characters of a prompt, for what is priced by tokens.
    pub prompt_chars: usize,
    /// Pictures that are wanted in the end, all alike.
    pub finals: u64,
    /// Pictures that are wanted in the end, by tier: a resolution or a quality of the model; they stand instead of `finals`.
    pub tiers: Vec<(String, u64)>,
    /// Equal tries that the author asks for, of each.
    pub takes: u64,
    /// Steps of the chain behind each final: one generation, the rest edits of the picture before.
    pub steps: u64,
    /// The iteration factor and its name.
    pub factor: Option<(String, Micros)>,
}

/// Pictures of one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetLine {
    /// What is done.
    pub action: Action,
    /// How it is asked, settled with the model's own.
    pub settings: Settings,
    /// Pictures at one try each.
    pub pictures: u64,
    /// Pictures x factor, in millionths of a picture.
    pub effective: Micros,
    /// Effective images, rounded up: nobody makes a part of a picture.
    pub whole: u64,
    /// The price of one try.
    pub quote: Quote,
    /// All pictures at one try.
    pub floor: Sum,
    /// The effective images, rounded up to the millionth.
    pub expected: Sum,
    /// The whole generations.
    pub set_aside: Sum,
}

/// An estimate without a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The book.
    pub book: BookFacts,
    /// The model, as the book names it.
    pub model: Arc<str>,
    /// Pictures that are wanted in the end.
    pub finals: u64,
    /// The iteration factor.
    pub factor: Option<(String, Micros)>,
    /// One line a tier and a kind of step.
    pub lines: Vec<SheetLine>,
    /// All pictures.
    pub pictures: u64,
    /// All effective images.
    pub effective: Micros,
    /// All whole generations.
    pub whole: u64,
    /// Sum of the lines.
    pub floor: Sum,
    /// Sum of the lines.
    pub expected: Sum,
    /// Sum of the lines.
    pub set_aside: Sum,
    /// For each final, rounded up to the millionth.
    pub floor_each: Sum,
    /// For each final, rounded up to the millionth.
    pub expected_each: Sum,
    /// Whether the price depends on the length of the prompt.
    pub counts_prompt: bool,
}

impl Sheet {
    /// Returns a sum in USD; `None` if the book states no rate.
    pub fn usd(&self, sum: Sum) -> Option<Sum> {
        let micros = self.book.usd(&self.book.amount(sum.micros))?;
        Some(Sum { micros, certainty: sum.certainty })
    }

    /// Returns how many finals an amount of the book's currency pays for at one try each, and what is left of it; `None` when they are free.
    pub fn affords(&self, amount: Micros) -> Option<(u64, Micros)> {
        let each = self.floor_each.micros.get();
        if each <= 0 {
            return None;
        }
        Some((u64::try_from(amount.get() / each).unwrap_or(0), Micros::new(amount.get() % each)))
    }
}

/// Why there is no estimate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The book has several models and none was named.
    #[error("book `{book}` has several models")]
    NoModel {
        /// The book.
        book: Arc<str>,
        /// They.
        help: String,
    },
    /// The book has no such model.
    #[error("book `{book}` has no model `{model}`")]
    Model {
        /// The book.
        book: Arc<str>,
        /// What was asked.
        model: String,
        /// What was meant, or what there is.
        help: String,
    },
    /// The model has no such tier.
    #[error("`{model}` in book `{book}` has no tier `{tier}`")]
    Tier {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: Arc<str>,
        /// What was asked.
        tier: String,
        /// What was meant, or what there is.
        help: String,
    },
    /// The model cannot do it.
    #[error("`{model}` at the prices of `{book}` cannot `{action}`{}", .unfit.first().map(|unfit| format!(" so: {unfit}")).unwrap_or_default())]
    Unfit {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: Arc<str>,
        /// What was asked of it.
        action: Action,
        /// What does not fit; empty if it cannot do it at all.
        unfit: Vec<Unfit>,
        /// What there is instead.
        help: String,
    },
    /// The book has no price for it.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
    /// A sum does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl SheetError {
    /// Returns how to mend it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::NoModel { help, .. } | Self::Model { help, .. } | Self::Tier { help, .. } | Self::Unfit { help, .. } => Some(help),
            Self::Unpriced(_) | Self::Money(_) => None,
        }
    }
}

/// Millionths in one.
const ONE: i64 = 1_000_000;

/// Fills in the sheet for one book; `catalog` holds it, and what its models can do as far as anybody states it.
///
/// # Errors
/// [`SheetError`] says what the book lacks and what it has.
pub fn worksheet(wanted: &Wanted, catalog: &Catalog) -> Result<Sheet, SheetError> {
    let asked = Asked::of(wanted, catalog)?;
    let tiers =
        if wanted.tiers.is_empty() { vec![(None, wanted.finals)] } else { wanted.tiers.iter().map(|(tier, count)| (Some(tier), *count)).collect() };
    let mut lines = Vec::new();
    for (tier, count) in &tiers {
        let settings = match tier {
            Some(tier) => asked.with_tier(tier)?,
            None => wanted.settings.clone(),
        };
        let pictures = count.checked_mul(wanted.takes.max(1)).ok_or(MoneyError::Overflow)?;
        let (line, made) = asked.line(asked.action, settings.clone(), wanted.input, pictures)?;
        lines.push(line);
        if wanted.steps > 1 {
            let pictures = pictures.checked_mul(wanted.steps - 1).ok_or(MoneyError::Overflow)?;
            lines.push(asked.line(Action::Edit, asked.following(settings), Some(made), pictures)?.0);
        }
    }
    let finals = tiers.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count)).ok_or(MoneyError::Overflow)?;
    let mut sheet = Sheet {
        book: asked.facts(),
        model: Arc::clone(&asked.model),
        finals,
        factor: wanted.factor.clone(),
        pictures: 0,
        effective: Micros::ZERO,
        whole: 0,
        floor: Sum::default(),
        expected: Sum::default(),
        set_aside: Sum::default(),
        floor_each: Sum::default(),
        expected_each: Sum::default(),
        counts_prompt: lines.iter().any(|line| asked.entry(line.action).is_some_and(|entry| matches!(entry.kind, PriceKind::Tokens(_)))),
        lines: Vec::new(),
    };
    for line in &lines {
        sheet.pictures = sheet.pictures.checked_add(line.pictures).ok_or(MoneyError::Overflow)?;
        sheet.whole = sheet.whole.checked_add(line.whole).ok_or(MoneyError::Overflow)?;
        sheet.effective = sheet.effective.checked_add(line.effective)?;
        sheet.floor = sheet.floor.and(line.floor)?;
        sheet.expected = sheet.expected.and(line.expected)?;
        sheet.set_aside = sheet.set_aside.and(line.set_aside)?;
    }
    let over = i64::try_from(finals.max(1)).map_err(|_| MoneyError::Overflow)?;
    let each = |sum: Sum| Ok::<_, MoneyError>(Sum { micros: sum.micros.mul_ratio_ceil(1, over)?, ..sum });
    (sheet.floor_each, sheet.expected_each) = (each(sheet.floor)?, each(sheet.expected)?);
    Ok(Sheet { lines, ..sheet })
}

/// What is asked for, found in a book.
struct Asked<'a> {
    wanted: &'a Wanted,
    catalog: &'a Catalog,
    model: Arc<str>,
    action: Action,
}

impl<'a> Asked<'a> {
    fn of(wanted: &'a Wanted, catalog: &'a Catalog) -> Result<Self, SheetError> {
        let book = &catalog.book;
        let names = || book.models.keys();
        let model = match &wanted.model {
            None if book.models.len() == 1 => names().next().map(|name| &**name),
            None => {
                return Err(SheetError::NoModel { book: Arc::clone(&book.name), help: format!("name one with `--model`: {}", listed(names(), 12)) });
            }
            Some(model) => book.own_name(model),
        };
        let Some(model) = model else {
            let model = wanted.model.clone().unwrap_or_default();
            let known = book.models.iter().flat_map(|(name, model)| std::iter::once(name).chain(&model.aliases)).map(|name| &**name);
            let help =
                did_you_mean(&model, known).map_or_else(|| format!("it has {}", listed(names(), 40)), |near| format!("did you mean `{near}`?"));
            return Err(SheetError::Model { book: Arc::clone(&book.name), model, help });
        };
        let mut asked = Self { wanted, catalog, model: Arc::from(model), action: wanted.action.unwrap_or(Action::Generate) };
        if wanted.action.is_none() && !asked.can(Action::Generate) {
            asked.action = Action::ALL.into_iter().find(|action| asked.can(*action)).unwrap_or(Action::Generate);
        }
        Ok(asked)
    }

    fn entry(&self, action: Action) -> Option<&PriceEntry> {
        self.catalog.book.model(&self.model)?.entry(action)
    }

    fn operation(&self, action: Action) -> Option<&OperationCard> {
        self.catalog.card(&self.model)?.operation(action)
    }

    /// Returns whether the book prices it and nobody says that the model cannot do it.
    fn can(&self, action: Action) -> bool {
        self.entry(action).is_some() && self.catalog.card(&self.model).is_none_or(|card| card.operation(action).is_some())
    }

    fn facts(&self) -> BookFacts {
        let book = &self.catalog.book;
        BookFacts::of(book)
    }

    /// Returns the settings at a tier: what the book's table or the model calls so.
    fn with_tier(&self, tier: &str) -> Result<Settings, SheetError> {
        let resolutions = self.words(PriceKey::Resolution);
        let qualities = self.words(PriceKey::Quality);
        let settings = self.wanted.settings.clone();
        if resolutions.iter().any(|name| name == tier) {
            return Ok(Settings { resolution: Some(Arc::from(tier)), ..settings });
        }
        if qualities.iter().any(|name| name == tier) {
            return Ok(Settings { quality: Some(Arc::from(tier)), ..settings });
        }
        let all = || resolutions.iter().chain(&qualities).map(String::as_str);
        let help = did_you_mean(tier, all()).map_or_else(|| format!("it has {}", listed(all(), 20)), |near| format!("did you mean `{near}`?"));
        Err(SheetError::Tier { book: Arc::clone(&self.catalog.book.name), model: Arc::clone(&self.model), tier: tier.to_owned(), help })
    }

    /// Returns the words that price table and model know for a key.
    fn words(&self, key: PriceKey) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |word: &str| {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        };
        match self.entry(self.action).map(|entry| &entry.kind) {
            Some(PriceKind::Table(table)) => {
                if let Some(place) = table.by.iter().position(|known| *known == key) {
                    table.rows.keys().filter_map(|row| row.split('/').nth(place)).for_each(&mut add);
                }
            }
            Some(PriceKind::Tokens(tokens)) if key == PriceKey::Quality => tokens.output_factors.keys().for_each(|name| add(name)),
            _ => {}
        }
        if let Some(operation) = self.operation(self.action) {
            match key {
                PriceKey::Resolution => operation.resolutions.iter().flat_map(|all| all.keys()).for_each(|name| add(name)),
                PriceKey::Quality => operation.qualities.iter().for_each(|name| add(name)),
                PriceKey::Speed | PriceKey::Scale | PriceKey::OutputClass => {}
            }
        }
        words
    }

    /// Returns the settings of a chain's edits: their shape follows the picture before where the model does not take one.
    fn following(&self, settings: Settings) -> Settings {
        let takes =
            |aspect: Aspect| self.operation(Action::Edit).and_then(|operation| operation.aspects.as_ref()).is_none_or(|all| all.contains(&aspect));
        match settings.aspect {
            Some(ratio) if !takes(Aspect::Ratio(ratio)) => Settings { aspect: None, ..settings },
            _ => settings,
        }
    }

    /// Prices pictures of one kind, and tells how large they will be.
    fn line(&self, action: Action, settings: Settings, input: Option<PixelSize>, pictures: u64) -> Result<(SheetLine, PixelSize), SheetError> {
        let unfit = |unfit: Vec<Unfit>, help: String| SheetError::Unfit {
            book: Arc::clone(&self.catalog.book.name),
            model: Arc::clone(&self.model),
            action,
            unfit,
            help,
        };
        let unstated = OperationCard::default();
        let operation = match (self.catalog.card(&self.model), self.operation(action)) {
            (Some(card), None) if self.entry(action).is_none() => {
                return Err(unfit(Vec::new(), format!("it can {}", listed(card.operations.keys().map(|action| action.as_str()), 8))));
            }
            (_, operation) => operation,
        };
        let settings = operation.map_or_else(|| settings.clone(), |operation| operation.settle(&settings));
        if let Some(operation) = operation {
            let found = operation.fit(&settings, self.wanted.prompt_chars, self.wanted.references as usize);
            if !found.is_empty() {
                let more = found.iter().skip(1).map(|unfit| format!("also: {unfit}"));
                let help = found.first().and_then(Unfit::help).into_iter().chain(more).collect::<Vec<_>>().join("; ");
                return Err(unfit(found, help));
            }
        }
        let output = operation.unwrap_or(&unstated).output_size(&settings, input);
        let quote = self.catalog.quote(&QuoteInput {
            model: &self.model,
            action,
            settings: &settings,
            input,
            output,
            references: self.wanted.references,
            prompt_chars: self.wanted.prompt_chars,
        })?;
        let factor = self.wanted.factor.as_ref().map_or(ONE, |(_, factor)| factor.get());
        let effective = Micros::ZERO.checked_add(Micros::new(ONE).checked_mul(pictures)?)?.mul_ratio_ceil(factor, ONE)?;
        let whole = u64::try_from(effective.get()).map_err(|_| MoneyError::Overflow)?.div_ceil(ONE.unsigned_abs());
        let (unit, certainty) = (quote.amount.micros, quote.certainty);
        let floor = Sum::default().plus(unit, pictures, certainty)?;
        let expected = Sum { micros: floor.micros.mul_ratio_ceil(factor, ONE)?, certainty };
        let set_aside = Sum::default().plus(unit, whole, certainty)?;
        Ok((SheetLine { action, settings, pictures, effective, whole, quote, floor, expected, set_aside }, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::builtin;
    use proptest::prelude::*;

    fn catalog(book: &str) -> Catalog {
        let book = builtin::book(book).expect("an embedded book");
        Catalog::new(Arc::clone(&book.name), book.cards(), book)
    }

    fn wanted(finals: u64, factor: &str) -> Wanted {
        let factor = Some((factor.to_owned(), factor.parse().expect("a number")));
        Wanted { finals, takes: 1, steps: 1, factor, model: Some("gpt-image-2".to_owned()), ..Wanted::default() }
    }

    #[test]
    fn the_worked_examples_of_the_guide_come_out() {
        for (finals, factor, effective, expected, whole, set_aside) in [
            (24, "1.8", "43.2", "518.4", 44, "528"),
            (24, "1.2", "28.8", "345.6", 29, "348"),
            (24, "2.5", "60", "720", 60, "720"),
            (6, "1.2", "7.2", "86.4", 8, "96"),
            (9, "1.8", "16.2", "194.4", 17, "204"),
        ] {
            let sheet = worksheet(&wanted(finals, factor), &catalog("gptimage2-flat")).expect("a price");
            let told = (sheet.effective.to_string(), sheet.expected.micros.to_string(), sheet.whole, sheet.set_aside.micros.to_string());
            assert_eq!(told, (effective.to_owned(), expected.to_owned(), whole, set_aside.to_owned()), "{finals} x {factor}");
        }
    }

    #[test]
    fn a_chain_is_one_generation_and_edits_and_takes_multiply_all() {
        let chain = Wanted { steps: 4, takes: 2, ..wanted(1, "1") };
        let sheet = worksheet(&chain, &catalog("gptimage2-flat")).expect("a price");
        let lines: Vec<(Action, u64)> = sheet.lines.iter().map(|line| (line.action, line.pictures)).collect();
        assert_eq!(lines, [(Action::Generate, 2), (Action::Edit, 6)]);
        assert_eq!(sheet.floor, Sum::exact(Micros::units(96)));
        assert_eq!(sheet.affords(Micros::units(100)), Some((1, Micros::units(4))));
    }

    #[test]
    fn what_a_book_lacks_is_said_with_what_it_has() {
        let said = |change: &dyn Fn(&mut Wanted), book: &str| {
            let mut wanted = wanted(2, "1");
            change(&mut wanted);
            let error = worksheet(&wanted, &catalog(book)).expect_err("it lacks it");
            format!("{error}; {}", error.help().unwrap_or("-"))
        };
        let slips = [
            said(&|wanted| wanted.model = Some("gpt-image-3".to_owned()), "gptimage2-flat"),
            said(&|wanted| wanted.model = None, "qolaba-app"),
            said(&|wanted| (wanted.model, wanted.tiers) = (None, vec![("HD++".to_owned(), 2)]), "bestphoto-hd"),
            said(
                &|wanted| (wanted.model, wanted.settings.aspect) = (Some("gpt-image-1.5".to_owned()), Some(crate::types::Ratio::new(16, 9))),
                "imagineart-studio",
            ),
            said(&|wanted| wanted.action = Some(Action::Upscale), "qolaba-app"),
        ];
        insta::assert_snapshot!(slips.join("\n"), @"
        book `gptimage2-flat` has no model `gpt-image-3`; did you mean `gpt-image-2`?
        book `qolaba-app` has several models; name one with `--model`: `nano-banana-pro`, `nano-banana-2`, `gpt-image-2`, `flux-1.1-pro`, `seedream-4.5`, `recraft-v3`, `ideogram-v3`, `sd-3.5`, `dall-e-3`, `sdxl`, `flux-dev`, `sd-3.5-turbo` and 3 more
        `bestphoto` in book `bestphoto-hd` has no tier `HD++`; did you mean `HD+`?
        `gpt-image-1.5` at the prices of `imagineart-studio` cannot `generate` so: aspect `16:9` is not offered; it has `1:1`, `2:3` and `3:2`
        `gpt-image-2` at the prices of `qolaba-app` cannot `upscale`; it can `generate` and `edit`
        ");
    }

    proptest! {
        #[test]
        fn whole_generations_cover_what_is_expected_and_never_by_more_than_one_a_line(finals in 1_u64..10_000, factor in 1_000_000_i64..3_000_000, takes in 1_u64..4, steps in 1_u64..5) {
            let wanted = Wanted { takes, steps, factor: Some(("x".to_owned(), Micros::new(factor))), ..wanted(finals, "1") };
            let sheet = worksheet(&wanted, &catalog("gptimage2-flat")).expect("a price");
            prop_assert!(sheet.floor.micros <= sheet.expected.micros && sheet.expected.micros <= sheet.set_aside.micros);
            prop_assert!(sheet.set_aside.micros.get() - sheet.expected.micros.get() < 12_000_000 * sheet.lines.len() as i64);
            prop_assert_eq!(sheet.pictures, finals * takes * steps);
        }
    }
}
