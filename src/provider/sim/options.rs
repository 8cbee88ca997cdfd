//! How the simulator behaves, in the words of `--sim`: `latency=2s,fail=0.05,seed=7`.
//!
//! In: text that a person typed. Out: [`SimOptions`], or a sentence that says what is wrong with it.
//! Never: a decision about a shot.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::imaging::Limits;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Micros, MoneyError, PixelSize};

/// How the simulator behaves. Text form: `latency=2s,fail=0.05,seed=7`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimOptions {
    /// Median time from acceptance to the picture; single tasks take a quarter to four times as long.
    pub latency: Duration,
    /// Share of attempts that fail after acceptance.
    pub fail: Chance,
    /// Share of submits that are told to wait.
    pub throttle: Chance,
    /// Share of jobs whose prompt is refused.
    pub refuse: Chance,
    /// Whether a generation that failed is given back.
    pub refund: bool,
    /// Share of submits whose answer is lost after acceptance.
    pub lose: Chance,
    /// Share of pictures that arrive cut off the first time.
    pub corrupt: Chance,
    /// Share of attempts that bring a picture of one plain colour: for checks to find.
    pub blank: Chance,
    /// What the account holds when the rehearsal starts, in the currency of the plan; absent: an account that nobody asks.
    pub balance: Option<Micros>,
    /// Size drawn instead of the promised one.
    pub size: Option<PixelSize>,
    /// Changes every decision and every picture.
    pub seed: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        let never = Chance::NEVER;
        Self {
            latency: Duration::ZERO,
            fail: never,
            throttle: never,
            refuse: never,
            refund: true,
            lose: never,
            corrupt: never,
            blank: never,
            balance: None,
            size: None,
            seed: 0,
        }
    }
}

/// A share from 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// Returns whether it falls to the number.
    pub(super) fn strikes(self, number: u64) -> bool {
        number % 1_000_000 < u64::from(self.0)
    }
}

impl FromStr for Chance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(|share| Self((share * 1e6).round() as u32)).ok_or_else(|| format!("`{text}` is not a share from 0 to 1 like `0.05`"))
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1e6)
    }
}

impl SimOptions {
    /// The keys of the text form.
    pub const KEYS: [&'static str; 11] = ["latency", "fail", "throttle", "refuse", "refund", "lose", "corrupt", "blank", "balance", "size", "seed"];
}

impl FromStr for SimOptions {
    type Err = String;

    /// Reads `key=value` pairs with commas between; a key that is left out keeps its default.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut options = Self::default();
        let mut seen = HashSet::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` has no value; write `key=value`, for example `fail=0.05`"))?;
            let (key, value) = (key.trim(), value.trim());
            if !seen.insert(key) {
                return Err(format!("`{key}` is given twice"));
            }
            options.set(key, value).map_err(|problem| if problem.is_empty() { unknown(key) } else { format!("`{key}`: {problem}") })?;
        }
        Ok(options)
    }
}

fn unknown(key: &str) -> String {
    let hint = did_you_mean(key, SimOptions::KEYS).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    format!("the simulator has no `{key}`{hint} (it has {})", listed(SimOptions::KEYS, 20))
}

impl SimOptions {
    /// Sets one key; the error is empty for a key that does not exist.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "latency" => self.latency = duration(value)?,
            "fail" => self.fail = value.parse()?,
            "throttle" => self.throttle = value.parse()?,
            "refuse" => self.refuse = value.parse()?,
            "refund" => {
                self.refund = match value {
                    "yes" | "true" => true,
                    "no" | "false" => false,
                    other => return Err(format!("`{other}` is neither `yes` nor `no`")),
                };
            }
            "lose" => self.lose = value.parse()?,
            "corrupt" => self.corrupt = value.parse()?,
            "blank" => self.blank = value.parse()?,
            "balance" => {
                let balance: Micros = value.parse().map_err(|error: MoneyError| error.to_string())?;
                if balance < Micros::ZERO {
                    return Err(format!("`{value}` is below zero"));
                }
                self.balance = Some(balance);
            }
            "size" => {
                let size: PixelSize = value.parse()?;
                Limits::default().admit(size).map_err(|error| error.to_string())?;
                self.size = Some(size);
            }
            "seed" => self.seed = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?,
            _ => return Err(String::new()),
        }
        Ok(())
    }
}

/// Reads `250ms`, `2s`, `1.5s`, `3m`; a bare `0` too.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration like `250ms`, `2s` or `3m`");
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None if text == "0" => (text, 1.0),
        None => match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(number), _) => (number, 1.0),
            (_, Some(number)) => (number, 60.0),
            _ => return Err(wrong()),
        },
    };
    let seconds = number.parse::<f64>().ok().filter(|number| *number >= 0.0).ok_or_else(wrong)? * unit;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|span| *span <= Duration::from_secs(86_400))
        .ok_or_else(|| format!("`{text}` is longer than a day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_explained() {
        let options: SimOptions = " latency=1.5s, fail=0.05 ,refund=no,size=64x64,seed=7".parse().expect("options");
        assert_eq!(
            (options.latency, options.refund, options.size, options.seed),
            (Duration::from_millis(1500), false, Some(PixelSize::new(64, 64)), 7)
        );
        assert_eq!((options.fail.to_string(), options.throttle), ("0.05".to_owned(), Chance::NEVER));
        assert_eq!("".parse(), Ok(SimOptions::default()));
        let wrong = [
            "fial=1",
            "fail",
            "fail=5%",
            "fail=1.5",
            "latency=2",
            "latency=-1s",
            "refund=maybe",
            "size=0x9",
            "size=99999x1",
            "seed=x",
            "seed=1,seed=2",
        ];
        let told: Vec<String> = wrong.iter().map(|text| text.parse::<SimOptions>().expect_err(text)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        the simulator has no `fial`; did you mean `fail`? (it has `latency`, `fail`, `throttle`, `refuse`, `refund`, `lose`, `corrupt`, `blank`, `balance`, `size` and `seed`)
        `fail` has no value; write `key=value`, for example `fail=0.05`
        `fail`: `5%` is not a share from 0 to 1 like `0.05`
        `fail`: `1.5` is not a share from 0 to 1 like `0.05`
        `latency`: `2` is not a duration like `250ms`, `2s` or `3m`
        `latency`: `-1s` is not a duration like `250ms`, `2s` or `3m`
        `refund`: `maybe` is neither `yes` nor `no`
        `size`: `0x9` is not a size like `1024x1536`
        `size`: a picture of 99999x1 is larger than allowed (sides up to 16384, 120000000 pixels)
        `seed`: `x` is not a whole number
        `seed` is given twice
        ");
    }

    #[test]
    fn a_balance_is_money_and_never_below_zero() {
        insta::assert_snapshot!(["balance=x", "balance=-1"].map(|text| text.parse::<SimOptions>().expect_err("no balance")).join("\n"), @r"
        `balance`: `x` is not a decimal number such as `12` or `73.5`
        `balance`: `-1` is below zero
        ");
    }
}
