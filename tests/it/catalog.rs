//! Cards and books fit together: every manifest with every book that knows its models.

use std::collections::BTreeMap;

use callsheet::catalog::{Catalog, QuoteInput, Unpriced, builtin};
use callsheet::provider::manifest;
use callsheet::types::{Action, PixelSize, Settings};

fn catalog(provider: &str, book: &str) -> Catalog {
    let cards = manifest::builtin(provider).map(|manifest| manifest.models).unwrap_or_default();
    Catalog::new(provider, cards, builtin::book(book).expect("an embedded book"))
}

fn price(catalog: &Catalog, model: &str, action: Action, said: &Settings) -> Result<String, Unpriced> {
    let card = catalog.card(model).and_then(|card| card.operation(action)).expect("a card of the catalog");
    let settings = card.settle(said);
    let input = (action != Action::Generate).then_some(PixelSize::new(1024, 1024));
    let output = card.output_size(&settings, input);
    let quote = catalog.quote(&QuoteInput { model, action, settings: &settings, input, output, references: 0, prompt_chars: 400 })?;
    Ok(quote.amount.to_string())
}

#[test]
fn one_model_is_priced_by_every_book_that_knows_it_under_one_name() {
    let said = Settings::default();
    for (book, amount) in [("kie", "6 credits"), ("gptimage2-flat", "12 credits"), ("qolaba-app", "18 credits"), ("openai", "$0.05321")] {
        let settings = if book == "openai" { Settings { quality: Some("medium".into()), ..said.clone() } } else { said.clone() };
        assert_eq!(price(&catalog("kie", book), "gpt-image-2", Action::Generate, &settings), Ok(amount.to_owned()), "{book}");
    }
    assert_eq!(price(&catalog("kie", "imagineart-studio"), "nano-banana-pro", Action::Edit, &said), Ok("80 credits".to_owned()));
}

#[test]
fn without_a_provider_a_book_is_planned_on_by_its_own_cards() {
    for (book, model) in
        [("gptimage2-flat", "gpt-image-2"), ("bestphoto-hd", "bestphoto"), ("imagineart-studio", "seedream-4"), ("qolaba-app", "sdxl")]
    {
        let catalog = Catalog::new(book, BTreeMap::new(), builtin::book(book).expect("an embedded book"));
        let card = catalog.card(model).expect("a card in the book");
        assert_eq!(&*card.id, model);
        assert!(price(&catalog, model, Action::Generate, &Settings::default()).is_ok(), "{book}");
    }
}

#[test]
fn a_provider_offers_only_its_own_models() {
    let catalog = catalog("kie", "imagineart-studio");
    assert!(catalog.card("dreamina-3.1").is_none(), "the book prices it, the provider lacks it");
    assert!(catalog.models().any(|name| name == "gpt-image-2"));
}

#[test]
fn another_name_of_a_model_finds_its_card() {
    assert_eq!(catalog("openai", "openai").card("chatgpt-image-latest").map(|card| &*card.id), Some("gpt-image-1.5"));
}

#[test]
fn every_action_of_a_manifest_has_an_entry_in_its_own_book() {
    for provider in manifest::builtin_names() {
        let manifest = manifest::builtin(provider).expect("a name of the list");
        let catalog = Catalog::new(*provider, manifest.models, builtin::book(&manifest.prices).expect("the manifest's own book"));
        for (name, card) in &catalog.cards {
            for action in card.operations.keys() {
                let answer = price(&catalog, name, *action, &Settings::default());
                assert!(matches!(answer, Ok(_) | Err(Unpriced::Unknown { .. })), "{provider} {name} {action}: {answer:?}");
            }
        }
    }
}

#[test]
fn defaults_of_every_embedded_card_are_among_its_choices() {
    let books = builtin::book_names().iter().flat_map(|name| builtin::book(name).expect("a name of the list").cards());
    let manifests = manifest::builtin_names().iter().flat_map(|name| manifest::builtin(name).expect("a name of the list").models);
    for (name, card) in books.chain(manifests) {
        for (action, operation) in &card.operations {
            let settled = operation.settle(&Settings::default());
            assert_eq!(operation.fit(&settled, 1, 0), [], "{name} {action}");
        }
    }
}
