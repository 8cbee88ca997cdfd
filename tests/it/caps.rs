//! Money that is short: caps that stop a run and are raised, the account's balance, a second price book; by the real program.

use std::collections::BTreeMap;

use callsheet::ledger::{Ledger as _, Scope};

use crate::desk::{Desk, SIM, Said, micros};

const FILE: &str = "campaigns/chains.yaml";

/// Four chains of two paid shots, 6 credits each, with room for many further tries.
fn campaign(budget: &str, profile_cap: &str) -> String {
    format!(
        "callsheet: 1\ncampaign: chains\nprovider: kie\ndefaults: {{ model: gpt-image-2, aspect: \"1:1\", resolution: 1K }}\n\
         axes:\n  cup: {{ red: {{}}, blue: {{}}, green: {{}}, white: {{}} }}\n\
         steps:\n  hero: {{ generate: {{ prompt: \"a {{{{ cup }}}} cup\", over: [cup] }} }}\n  \
         evening: {{ edit: {{ image: hero, prompt: \"in evening light\" }} }}\n\
         budget: {{ {budget} }}\nprofiles: {{ draft: {{ budget: {{ {profile_cap} }} }} }}\nrun: {{ attempts: 9 }}\n"
    )
}

/// Which cap a loop raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raised {
    Campaign,
    Step,
    Profile,
}

impl Raised {
    fn scope(self) -> Scope {
        Scope(match self {
            Self::Campaign => "campaign:chains".to_owned(),
            Self::Step => "campaign:chains/step:evening".to_owned(),
            Self::Profile => "campaign:chains/profile:draft".to_owned(),
        })
    }

    /// Runs with a cap of so many credits on this, and none of the others.
    fn run(self, desk: &Desk, cap: i64, sim: &str) -> Said {
        let (budget, profile) = match self {
            Self::Campaign => (String::new(), String::new()),
            Self::Step => (format!("steps: {{ evening: {cap} }}"), String::new()),
            Self::Profile => (String::new(), format!("cap: {cap}")),
        };
        desk.write(FILE, campaign(&budget, &profile));
        let mut words = vec!["run", FILE, "--profile", "draft", "--rehearse", "--sim", sim];
        let cap = cap.to_string();
        if self == Self::Campaign {
            words.extend(["--cap", &cap]);
        }
        desk.say(&words)
    }
}

/// Returns what is spent under a scope and what is committed, in whole credits.
fn spent(desk: &Desk, scope: &Scope) -> (i64, i64) {
    let totals = desk.ledger().totals(scope).expect("the ledger can be read");
    totals.first().map_or((0, 0), |totals| (totals.spent.get() / 1_000_000, totals.committed().micros.get() / 1_000_000))
}

/// Returns the pictures in the tree with their bytes.
fn pictures(desk: &Desk) -> BTreeMap<String, Vec<u8>> {
    let files = desk.files("rehearsal/chains").into_iter().filter(|file| file.ends_with(".png"));
    files.map(|file| (file.clone(), desk.read(&format!("rehearsal/chains/{file}")))).collect()
}

/// Returns the outstanding shots under a cap at one try each, in whole credits.
fn floor(desk: &Desk, raised: Raised) -> i64 {
    let plan = desk.plan(&[FILE, "--profile", "draft", "--rehearse"]);
    let amount = match raised {
        Raised::Campaign | Raised::Profile => &plan["totals"]["floor"]["amount"],
        Raised::Step => {
            let steps = plan["steps"].as_array().expect("the plan has steps");
            &steps.iter().find(|step| step["step"] == "evening").expect("it has the step")["floor"]["amount"]
        }
    };
    i64::try_from(micros(amount.as_str().expect("an amount is text"))).expect("it is small") / 1_000_000
}

#[test]
fn a_run_that_caps_stop_again_and_again_ends_like_one_that_was_never_stopped() {
    let mut stops = 0;
    for (raised, seed) in [(Raised::Campaign, 4), (Raised::Step, 5), (Raised::Profile, 4)] {
        // A third of all tries fail and are not given back.
        let sim = format!("size=48x48,fail=0.35,refund=no,seed={seed}");
        let free = Desk::new();
        let whole = raised.run(&free, 100_000, &sim);
        assert_eq!(whole.code, 0, "{}", whole.all());

        let desk = Desk::new();
        let (mut cap, mut more) = (if raised == Raised::Step { 24 } else { 48 }, seed);
        for round in 0.. {
            assert!(round < 40, "{raised:?}: it never ends");
            let said = raised.run(&desk, cap, &sim);
            assert!(!said.err.contains("nothing was sent"), "{raised:?} at {cap}: {}", said.all());
            let (_, committed) = spent(&desk, &raised.scope());
            assert!(committed <= cap, "{raised:?}: {committed} of {cap}");
            if said.code == 0 {
                break;
            }
            assert_eq!(said.code, 4, "{raised:?} at {cap}: {}", said.all());
            stops += 1;
            let whose = ["the campaign's cap", "the cap of step `evening`", "the profile's cap"][raised as usize];
            let text = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(&format!("cap {whose} of {cap} credits does not pay for the rest: {committed} credits spent")), "{}", said.err);
            let done = pictures(&desk).len();
            assert!(text.contains(&format!("left {} shot", 8 - done)), "{done} are there: {}", said.err);
            let least = committed + floor(&desk, raised);
            let told = match raised {
                Raised::Campaign => format!("--rehearse --cap {least} "),
                Raised::Step => format!("raise `budget.steps.evening` to {least} credits"),
                Raised::Profile => format!("raise `profiles.draft.budget.cap` to {least} credits"),
            };
            assert!(text.contains(&told), "no `{told}`: {}", said.err);
            // Sometimes exactly what was said is enough, sometimes a little more.
            more = (more * 5 + 3) % 4;
            cap = least + more;
        }
        let campaign = Raised::Campaign.scope();
        assert_eq!(spent(&desk, &campaign), spent(&free, &campaign), "{raised:?}");
        assert_eq!(pictures(&desk), pictures(&free), "{raised:?}");
        assert_eq!(desk.pictures("chains"), free.pictures("chains"), "{raised:?}");
    }
    assert!(stops >= 5, "only {stops} stops");
    println!("{stops} stops");
}

#[test]
fn a_cap_stop_says_which_cap_what_is_left_and_how_to_go_on() {
    let desk = Desk::new();
    let said = Raised::Campaign.run(&desk, 48, "size=48x48,fail=0.35,refund=no,seed=4");
    assert_eq!(said.code, 4, "{}", said.all());
    let summary = said.err.split("\nmade ").nth(1).unwrap_or_else(|| panic!("no summary: {}", said.err));
    let from = summary.find("\ncap ").unwrap_or_else(|| panic!("no cap: {summary}"));
    insta::assert_snapshot!(summary[from + 1..].trim_end(), @r"
    cap        the campaign's cap of 48 credits does not pay for the rest: 48 credits spent
    left       6 shots: 4 of evening, 2 of hero; first evening[cup=blue], evening[cup=white], hero[cup=red], …
    to finish  36 credits at one try for each shot
    files      rehearsal/chains
    next       callsheet run campaigns/chains.yaml --profile draft --rehearse --cap 84 (what is paid is not paid again)
    ");
    assert!(desk.files("rehearsal/chains").contains(&"costs.csv".to_owned()), "reports are written");
}

#[test]
fn shots_that_failed_are_in_the_price_of_the_rest_and_said_to_be() {
    let desk = Desk::new();
    let said = Raised::Campaign.run(&desk, 48, "size=48x48,fail=0.5,refuse=0.2,refund=no,seed=4");
    assert_eq!(said.code, 4, "{}", said.all());
    let number = |label: &str| -> usize {
        let line = said.err.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("no {label}: {}", said.err));
        line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no number: {line}"))
    };
    let (left, shots) = (number("left "), number("to finish ") / 6);
    assert!(shots > left + 1, "some failed: {}", said.err);
    assert!(said.err.contains(&format!("at one try for each shot, also for {} that failed or wait for one that did", shots - left)), "{}", said.err);
}

#[test]
fn a_balance_below_the_floor_sends_nothing_and_one_above_it_stands_beside_the_plan() {
    let desk = Desk::new();
    desk.write(FILE, campaign("", ""));
    let refused = desk.say(&["run", FILE, "--rehearse", "--sim", &format!("{SIM},balance=47")]);
    assert_eq!(refused.code, 4, "{}", refused.all());
    assert!(refused.err.contains("nothing was sent: the account holds 47 credits, the floor is 48 credits"), "{}", refused.err);
    assert!(!desk.path().join(".callsheet").exists(), "nothing was sent, nothing was left behind");

    let said = desk.say(&["run", FILE, "--rehearse", "--sim", &format!("{SIM},balance=50")]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.err.contains("balance 50 credits: 2 credits left after the floor, 382 credits too little for the ceiling"), "{}", said.err);

    let silent = desk.say(&["run", FILE, "--rehearse", "--sim", SIM]);
    assert!(!silent.err.contains("balance"), "nobody asked: {}", silent.err);
}

#[test]
fn an_account_that_runs_dry_stops_the_run_and_what_is_paid_is_kept() {
    let desk = Desk::new();
    desk.write(FILE, campaign("", ""));
    // Eight shots cost 48; two of the first tries fail, and nothing is given back.
    let sim = "size=48x48,fail=0.35,refund=no,seed=4,balance=48";
    let said = desk.say(&["run", FILE, "--rehearse", "--sim", sim]);
    assert_eq!(said.code, 8, "{}", said.all());
    assert!(said.err.contains("the account was refused"), "{}", said.err);
    let (paid, _) = spent(&desk, &Raised::Campaign.scope());
    assert_eq!(paid, 48, "all that it held");
    let kept = pictures(&desk);
    assert!(!kept.is_empty() && kept.len() < 8);
    let resumed = desk.say(&["run", FILE, "--rehearse", "--sim", "size=48x48,fail=0.35,refund=no,seed=4"]);
    assert_eq!(resumed.code, 0, "{}", resumed.all());
    let all = pictures(&desk);
    assert!(kept.iter().all(|(file, bytes)| all.get(file) == Some(bytes)), "what was paid was not made again");
}

/// A book of one's own: 2 credits a picture, and a rate only if it is given one.
fn book(rate: &str) -> String {
    format!("book: mine\ncurrency: credits\n{rate}as-of: 2026-11-22\nsource: a page\nmodels:\n  gpt-image-2: {{ price: {{ flat: 2 }} }}\n")
}

#[test]
fn a_second_book_is_counted_by_itself_and_weighed_under_a_cap_only_by_a_stated_rate() {
    let desk = Desk::new();
    desk.write(FILE, campaign("", ""));
    desk.write("campaigns/mine.yaml", book(""));
    let mine = ["--prices", "campaigns/mine.yaml"];
    let first = desk.say(&[&["run", FILE, "--rehearse", "--sim", SIM, "--only", "hero"], &mine[..]].concat());
    assert_eq!(first.code, 0, "{}", first.all());

    // The campaign's own book counts other credits; without a cap nobody has to compare.
    let refused = desk.say(&["run", FILE, "--rehearse", "--sim", SIM, "--cap", "100"]);
    assert_eq!(refused.code, 4, "{}", refused.all());
    let text = refused.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = "the campaign's cap is in credits of book `kie`, and 8 credits of book `mine` are committed under it; \
               no rate of book `mine` is known, so the two cannot be compared";
    assert!(text.contains(why), "{}", refused.err);
    let free = desk.say(&["run", FILE, "--rehearse", "--sim", SIM, "--only", "evening[cup=red]"]);
    assert_eq!(free.code, 0, "{}", free.all());
    let told: Vec<String> = desk.ledger().totals(&Raised::Campaign.scope()).expect("it can be read").iter().map(|sum| format!("{sum:?}")).collect();
    assert_eq!(told.len(), 2, "{told:?}");

    // Under a book that states a rate, what the other book states too is weighed: 6 credits of kie at half a cent are 3 at one.
    desk.write("campaigns/mine.yaml", book("usd-per-credit: 0.01\n"));
    let over = desk.say(&[&["run", FILE, "--rehearse", "--sim", SIM, "--cap", "16"], &mine[..]].concat());
    assert_eq!(over.code, 4, "{}", over.all());
    assert!(over.err.contains("the campaign's cap of 16 credits (11 credits of it already committed) by 1 credit"), "{}", over.err);
    let fits = desk.say(&[&["run", FILE, "--rehearse", "--sim", SIM, "--cap", "17"], &mine[..]].concat());
    assert_eq!(fits.code, 0, "{}", fits.all());
}
