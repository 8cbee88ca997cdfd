//! What each reference says besides its schema: a heading, what the file is for, the order of its keys, where examples come from.

use super::Of;
use crate::spec::reference::{About, Sample};

macro_rules! shipped {
    ($($file:literal),*) => {
        &[$(Sample { path: concat!("../campaigns/", $file), text: include_str!(concat!("../../../../campaigns/", $file)) }),*]
    };
}

/// Campaigns that tests plan, price and rehearse.
const CAMPAIGNS: &[Sample<'static>] =
    shipped!("spring-drop.yaml", "draft-to-final.yaml", "two-providers.yaml", "packshots.yaml", "character-chain.yaml", "own-provider/posters.yaml");

/// The order in which an author meets the keys of a campaign.
const CAMPAIGN: &str = "\
    cap iteration warn-at sample until concurrency attempts image from file ops baseline ladder base-url key-env callsheet \
    campaign description model provider prices providers defaults vars axes baselines ladders steps budget output profiles \
    run lint generate edit vary upscale remove-background load transform sheet pick csv tsv jsonl yaml key where subject \
    action environment lighting camera style prompt keep images mask rungs scale over across choose aspect fit resolution \
    quality speed background format seed takes check rerolls when exclude path crop pad resize overlay text encode to at \
    width height size color margin opacity min-side max-bytes not-blank transparent sharpness not-duplicate drift similarity \
    policy deny warn total delta percent of because";

const PROVIDER: &str = "\
    provider title key-env hosts result-hosts limits charge idempotency task-lookup result-ttl base-url origins auth headers \
    idempotency-header success failed-if error unit pictures each-picture masks parameters words upload submit \
    submit-by-action poll result lookup balance refresh batch errors prices http models method path query json form request \
    task";

const BOOK: &str = "\
    book title currency usd-per-credit as-of source certainty rounding note models aliases price prices card flat by table \
    per-call per-megapixel base-megapixels tokens per-reference batch classes highest";

const STATUS: &str = "\
    callsheet-status campaign profile rehearsal book shots steps finals estimate spending deviations factor-seen never-paid left caps in-doubt \
    failures rejected turned-down picks prepared c2pa refusals next name as-of currency usd-per-credit step shot key in-plan all done failed \
    under-way waiting to-pick to-do left-out floor expected ceiling later factor value amount usd certainty attempts pictures paid \
    in-use quoted charged refunded released reserved above-quote below-quote unpriced per-picture of limit committed room \
    attempt held provider model sent run seen task settle when command class code message billed mend why rerolls-left by-you open ready automatic";

const OUTPUT: &str = "callsheet-plan callsheet-sidecar version campaign file path step job key picks rejected shot picture";

/// Returns what the reference of a file says besides its schema.
pub fn about(of: Of) -> About<'static> {
    match of {
        Of::Campaign => About {
            title: "The campaign file",
            intro: "Every key of a campaign. The README shows [the language by example](../README.md#the-language-by-example), \
                    the [cookbook](../campaigns/COOKBOOK.md) whole campaigns for eight situations. Unknown and duplicate keys are mistakes.",
            file: "campaign.schema.json",
            root: "Campaign",
            order: CAMPAIGN,
            samples: CAMPAIGNS,
        },
        Of::PriceBook => About {
            title: "The price book",
            intro: "Dated prices of one seller, in one currency. [`prices show kie --format yaml`](../README.md#price-books) prints a whole one.",
            file: "price-book.schema.json",
            root: "Book",
            order: BOOK,
            samples: shipped!("own-provider/studio-prices.yaml"),
        },
        Of::SavedPlan => About {
            title: "The saved plan",
            intro: "What `plan --out plan.json` writes and [`run plan.json`](../README.md#save-a-plan-approve-it-run-it) buys, once. It is written by callsheet and read by people and programs.",
            file: "saved-plan.schema.json",
            root: "Plan",
            order: OUTPUT,
            samples: &[],
        },
        Of::Provider => About {
            title: "The provider manifest",
            intro: "What callsheet knows of a provider: whose key goes where, how it is asked, what it charges for, which models it has. \
                    [Providers](../README.md#providers) tells how to write one; `callsheet providers check FILE` tries it.",
            file: "provider.schema.json",
            root: "Manifest",
            order: PROVIDER,
            samples: shipped!("own-provider/studio.yaml"),
        },
        Of::Sidecar => About {
            title: "The sidecar",
            intro: "What `output: { sidecar: true }` writes beside each picture: where it comes from.",
            file: "sidecar.schema.json",
            root: "Sidecar",
            order: OUTPUT,
            samples: &[],
        },
        Of::Picks => About {
            title: "The picks file",
            intro: "What people chose and turned down, in `picks/<campaign>.yaml`; [`review`](../README.md#review-choose-and-turn-down) writes it, the author commits it.",
            file: "picks.schema.json",
            root: "Picks",
            order: OUTPUT,
            samples: &[],
        },
        Of::Status => About {
            title: "The status",
            intro: "What `status CAMPAIGN --json` prints: where a campaign stands, for programs. Amounts are decimal text, what is not known is null.",
            file: "status.schema.json",
            root: "Status",
            order: STATUS,
            samples: &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn keys<'a>(schema: &'a Value, found: &mut BTreeSet<&'a str>) {
        if let Some(entries) = schema.as_object() {
            found.extend(entries.get("properties").and_then(Value::as_object).into_iter().flat_map(|keys| keys.keys().map(String::as_str)));
            entries.values().for_each(|value| keys(value, found));
        }
        schema.as_array().into_iter().flatten().for_each(|value| keys(value, found));
    }

    #[test]
    fn an_order_names_keys_that_exist() {
        for of in [Of::Campaign, Of::Provider, Of::PriceBook, Of::Status] {
            let schema = of.schema();
            let mut known = BTreeSet::new();
            keys(&schema, &mut known);
            let unknown: Vec<&str> = about(of).order.split_whitespace().filter(|key| !known.contains(key)).collect();
            assert!(unknown.is_empty(), "{of:?}: {unknown:?}");
        }
    }

    #[test]
    fn every_kind_of_step_has_an_example() {
        let page = Of::Campaign.markdown().1;
        for kind in crate::steps::StepSpec::KINDS {
            let section = page.split(&format!("\n### `{kind}`\n")).nth(1).unwrap_or_else(|| panic!("`{kind}` has a section"));
            let section = section.split("\n### ").next().unwrap_or_default();
            assert!(section.contains("```yaml\nsteps:\n"), "{kind}:\n{section}");
        }
    }

    #[test]
    fn every_link_of_a_page_leads_to_one_heading() {
        for of in Of::ALL {
            let page = of.markdown().1;
            let headings: Vec<String> =
                page.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect();
            let distinct: BTreeSet<&String> = headings.iter().collect();
            assert_eq!(distinct.len(), headings.len(), "{of:?}: two headings of one address: {headings:?}");
            for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
                assert!(headings.iter().any(|heading| heading == link), "{of:?}: #{link} leads nowhere");
            }
        }
    }

    /// As GitHub makes it.
    fn anchor(heading: &str) -> String {
        heading.to_lowercase().replace(' ', "-").replace(['`', ','], "")
    }
}
