//! `callsheet providers`: who makes pictures, with which models, within which limits.

mod balance;
mod check;
mod refresh;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::catalog::OperationCard;
use crate::cli::args::{self, BaseUrl};
use crate::cli::console::{self, STRONG};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::keys;
use crate::cli::market::{Said, provider_called};
use crate::provider::manifest::{self, ChargedOn, Known, Manifest};
use crate::report::text::{Table, words, wrapped};
use crate::spec::Sources;
use crate::types::diagnostic::counted;
use crate::types::visible;

/// List providers, show their models and limits, check manifests, ask for balances
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet providers list
  callsheet providers show kie
  callsheet providers check my-studio.yaml
  callsheet providers balance")]
pub struct ProvidersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the providers that come with the program
    #[command(after_help = "Example:\n  callsheet providers list")]
    List,
    /// Show a provider's models, limits and charge policy
    #[command(after_help = "Examples:\n  callsheet providers show kie\n  callsheet providers show kie --model gpt-image-2")]
    Show {
        /// Name of a provider, or the path of a manifest
        provider: String,
        /// Show one model in full
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
    },
    /// Check manifests: every mistake with its line, what each model costs, and a request of each kind as it would be sent
    ///
    /// Nothing is sent. Mistakes end with exit code 3.
    #[command(
        after_help = "Examples:\n  callsheet providers check my-studio.yaml\n  callsheet providers check kie --model gpt-image-2\n  callsheet providers check                  all that come with the program"
    )]
    Check {
        /// Names of providers, or paths of manifests; without any, all built-in ones
        #[arg(value_name = "PROVIDER|FILE")]
        providers: Vec<String>,
        /// Show all requests of this model
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
    },
    /// Ask what is left on your accounts
    ///
    /// Asks with the key in the environment, of the providers that are named, or of all built-in ones whose key is set.
    #[command(
        after_help = "Examples:\n  callsheet providers balance\n  callsheet providers balance kie --env-file keys.env\n\nExit codes: 0 told, or there is no way to ask · 5 no clear answer · 8 no key, or the account is refused"
    )]
    Balance {
        /// Names of providers, or paths of manifests
        #[arg(value_name = "PROVIDER|FILE")]
        providers: Vec<String>,
        /// Ask at another address, as for `run`
        #[arg(long, value_name = "PROVIDER=URL", value_parser = args::base_url)]
        base_url: Vec<BaseUrl>,
    },
    /// Compare what a provider says of itself today with what is built in; known of KIE
    ///
    /// Asks for the list of models with the prose of their prices, and with `--schemas` for the schema of each that is built in, one a second.
    /// Prints what moved and changes nothing. No other built-in provider documents such questions.
    #[command(after_help = "Example:\n  callsheet providers refresh kie --schemas")]
    Refresh {
        /// Name of the provider
        provider: String,
        /// Compare the schemas of the models too
        #[arg(long)]
        schemas: bool,
        /// Ask at another address, as for `run`
        #[arg(long, value_name = "PROVIDER=URL", value_parser = args::base_url)]
        base_url: Vec<BaseUrl>,
    },
}

/// Does what `providers` asks for.
pub fn providers(args: &ProvidersArgs) -> Outcome<Exit> {
    let width = console::width().unwrap_or(120);
    match &args.what {
        What::Check { providers, model } => return check::check(providers, model.as_deref()),
        What::Balance { providers, base_url } => return balance::balance(providers, base_url),
        What::Refresh { provider, schemas, base_url } => return refresh::refresh(provider, *schemas, base_url),
        What::List => console::data(&list(width))?,
        What::Show { provider, model } => {
            let manifest = provider_called(&Said::Here(provider.clone()), Path::new(""), &mut Sources::new())?;
            match model {
                Some(model) => console::data(&one_model(&manifest, model, width)?)?,
                None => console::data(&show(&manifest, width))?,
            }
        }
    }
    Ok(Exit::Done)
}

fn list(width: usize) -> String {
    let mut table = Table::new(vec![
        words("provider", None),
        words("key in", None),
        words("key", None),
        words("prices", None),
        words("models", None),
        words("name", Some(10)),
    ]);
    for manifest in manifest::builtin_names().iter().filter_map(|name| manifest::builtin(name)) {
        let key = if keys::key(&manifest.key_env).is_some() { "set" } else { "not set" };
        table.row(vec![
            manifest.id.to_string(),
            manifest.key_env.clone(),
            key.to_owned(),
            manifest.prices.to_string(),
            manifest.models.len().to_string(),
            manifest.title.clone(),
        ]);
    }
    table.render(width, true)
}

fn show(manifest: &Manifest, width: usize) -> String {
    let mut text = heading(manifest);
    text.push('\n');
    let mut table = Table::new(vec![words("model", None), words("can", Some(12)), words("resolutions", Some(8)), words("ratios", Some(12))]);
    for (name, card) in &manifest.models {
        let actions: Vec<&str> = card.operations.keys().map(|action| action.as_str()).collect();
        let mut resolutions: Vec<&str> = Vec::new();
        for operation in card.operations.values() {
            for name in operation.resolutions.iter().flat_map(|all| all.keys()) {
                if !resolutions.contains(&&**name) {
                    resolutions.push(name);
                }
            }
        }
        let ratios = card.operations.values().find_map(|operation| operation.aspects.as_ref());
        let ratios = ratios.map_or(String::new(), |ratios| ratios.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        table.row(vec![name.to_string(), actions.join(" "), resolutions.join(" "), ratios]);
    }
    text.push_str(&table.render(width, true));
    text.push_str(&format!(
        "\nall about one model: callsheet providers show {} --model {}\n",
        manifest.id,
        manifest.models.keys().next().map_or("NAME", |name| name)
    ));
    text
}

fn heading(manifest: &Manifest) -> String {
    let mut lines = vec![format!("{STRONG}{}{STRONG:#}: {}", visible(&manifest.id), visible(&manifest.title))];
    let mut say = |what: &str, sentence: String| lines.push(format!("{what:<12} {}", visible(&sentence)));
    say("key", format!("in the environment variable {}", manifest.key_env));
    say("prices", manifest.prices.to_string());
    say("hosts", manifest.hosts.join(", "));
    let windows = manifest.limits.windows.iter().map(|window| format!("{} in {}", counted(window.count as usize, "submit"), window.span));
    let places = manifest.limits.places.map(|places| format!("{} in flight", counted(places as usize, "shot")));
    let limits: Vec<String> = windows.chain(places).collect();
    say("limits", if limits.is_empty() { "not stated".to_owned() } else { limits.join(", ") });
    let on = match manifest.charge.on {
        ChargedOn::Submit => "charged when a request is accepted",
        ChargedOn::Success => "charged when the picture is ready",
    };
    let refund = match manifest.charge.refund_on_failure {
        Known::Yes => "failures are given back",
        Known::No => "failures are not given back",
        Known::Unknown => "whether failures are given back is not stated",
    };
    let moderation = match manifest.charge.moderation_charged {
        Known::Yes => "refusals by moderation cost",
        Known::No => "refusals by moderation cost nothing",
        Known::Unknown => "whether refusals by moderation cost is not stated",
    };
    say("charges", format!("{on}; {refund}; {moderation}"));
    say(
        "resending",
        if manifest.idempotency { "a repeated request is charged once".to_owned() } else { "a repeated request is charged again".to_owned() },
    );
    say("results", manifest.result_ttl.map_or("come with the answer and only then".to_owned(), |span| format!("can be fetched for {span}")));
    if let Some(flow) = manifest.http.as_ref().and_then(|http| http.batch.as_ref()) {
        let takes = manifest.models.iter().filter(|(_, card)| card.batch).map(|(name, _)| &**name).collect::<Vec<_>>().join(", ");
        say("batches", format!("`run --batch` for {takes}; answers within {}, {} requests or {} MB a file", flow.window, flow.lines, flow.megabytes));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn one_model(manifest: &Manifest, name: &str, width: usize) -> Outcome<String> {
    let card = manifest.models.get(name).ok_or_else(|| {
        let known = manifest.models.keys().map(|name| &**name);
        let help = match crate::types::diagnostic::did_you_mean(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", crate::types::diagnostic::listed(known, 40)),
        };
        CliError::usage(format!("provider `{}` has no model `{name}`", manifest.id), help)
    })?;
    let mut text = format!("{STRONG}{}{STRONG:#} at {}: {}\n", visible(name), visible(&manifest.id), visible(&card.title));
    if let Some(day) = card.shutdown {
        let next = card.successor.as_ref().map_or(String::new(), |next| format!("; use {next}"));
        text.push_str(&format!("answers no more from {day} on{}\n", visible(&next)));
    }
    for (action, operation) in &card.operations {
        text.push_str(&format!("\n{STRONG}{action}{STRONG:#}\n"));
        for (what, sentence) in facts(operation) {
            text.push_str(&format!(
                "  {what:<12} {}\n",
                wrapped(&visible(&sentence), width.saturating_sub(15).max(20), 0).replace('\n', "\n               ")
            ));
        }
    }
    Ok(text)
}

fn facts(operation: &OperationCard) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut list = |what, items: Vec<String>, default: Option<String>| {
        if !items.is_empty() {
            let default = default.map_or(String::new(), |default| format!(" (unless you say otherwise: {default})"));
            facts.push((what, format!("{}{default}", items.join(" "))));
        }
    };
    let texts = |all: &[std::sync::Arc<str>]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let aspects = operation.aspects.iter().flatten().map(ToString::to_string).collect();
    list("ratios", aspects, operation.default_aspect.map(|ratio| ratio.to_string()));
    let resolutions = operation.resolutions.iter().flat_map(|all| all.keys()).map(ToString::to_string).collect();
    list("resolutions", resolutions, operation.default_resolution.as_deref().map(str::to_owned));
    list("qualities", texts(&operation.qualities), operation.default_quality.as_deref().map(str::to_owned));
    list("speeds", texts(&operation.speeds), operation.default_speed.as_deref().map(str::to_owned));
    list("scales", operation.scales.iter().map(|scale| format!("{scale}x")).collect(), operation.default_scale.map(|scale| format!("{scale}x")));
    list("backgrounds", texts(&operation.backgrounds), None);
    list("formats", operation.formats.iter().map(ToString::to_string).collect(), None);
    if let Some(limit) = operation.prompt_limit {
        facts.push(("prompt", format!("at most {}", counted(limit, "character"))));
    }
    match operation.max_references {
        Some(0) => facts.push(("references", "none".to_owned())),
        Some(most) => facts.push(("references", format!("at most {most} besides the picture itself"))),
        None => {}
    }
    for hole in &operation.holes {
        let aspects: Vec<String> = hole.aspects.iter().map(ToString::to_string).collect();
        let because = hole.because.as_ref().map_or(String::new(), |because| format!(": {because}"));
        facts.push(("not", format!("{} at {}{because}", aspects.join(" "), hole.resolutions.join(" "))));
    }
    if let Some(wire) = &operation.wire {
        facts.push(("sent as", wire.to_string()));
    }
    facts
}
