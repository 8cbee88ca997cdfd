//! Prices by tokens: what a million of each kind costs, and how many a request takes.
//!
//! In: YAML; a size and the words of a request, or what a provider counted. Out: tokens, and their [`Exact`] price.
//! Never: a rounding: that is the quote's.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::price_text::{AmountText, amount, amount_if_any};
use super::strict::once_each;
use crate::types::{Micros, PixelSize};

/// Tokens that a rate is for.
const PER_TOKENS: i128 = 1_000_000;

/// A price by tokens: rates for a million tokens, and how many tokens a request takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "text-in": 5, "image-in": 8, "image-out": 30, "output-factors": { "low": 16, "medium": 48, "high": 96 } }))]
pub struct TokenPrice {
    /// Price of a million tokens of prompt.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub text_in: Micros,
    /// Price of a million tokens of prompt that the provider remembers; the same as `text-in` if absent.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub text_cached: Option<Micros>,
    /// Price of a million tokens of input pictures. Absent: not stated, and a request with pictures costs at least what is stated.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub image_in: Option<Micros>,
    /// Price of a million tokens of input pictures that the provider remembers; the same as `image-in` if absent.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub image_cached: Option<Micros>,
    /// Price of a million tokens of the result.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub image_out: Micros,
    /// Price of a million tokens of text that comes with the result, thoughts included; how many come is not known beforehand.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub text_out: Option<Micros>,
    /// The factor `f` of each quality in the formula of output tokens: with L and S the longer and the shorter side,
    /// `s = round(f x S / L)`, tokens = `ceil(f x s x (2000000 + pixels) / 4000000)`.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    pub output_factors: IndexMap<Arc<str>, u32>,
    /// Output tokens by size and quality, where no formula is known: `1024x1024/low`. Looked up before the formula.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    pub output_table: IndexMap<String, u32>,
    /// Output tokens by size class, where the model knows no quality: `1K: 1120`. Stands alone.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    pub output_resolutions: IndexMap<Arc<str>, u32>,
    /// Side of the square patches that input pictures are cut into, one token each; absent: always `input-image-most`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_patch: Option<u32>,
    /// Most tokens of one input picture.
    #[serde(default = "TokenPrice::usual_image_most")]
    pub input_image_most: u32,
    /// Characters that make one token of a usual prompt; for the reservation every character counts as one.
    #[serde(default = "TokenPrice::usual_chars_per_token")]
    pub chars_per_token: u32,
    /// Tokens that every prompt has besides its text.
    #[serde(default = "TokenPrice::usual_overhead")]
    pub prompt_overhead: u32,
}

impl TokenPrice {
    const fn usual_image_most() -> u32 {
        1536
    }

    const fn usual_chars_per_token() -> u32 {
        4
    }

    const fn usual_overhead() -> u32 {
        6
    }

    /// Returns the tokens of a result, if the book knows them for this size and quality.
    pub fn output_tokens(&self, size: PixelSize, quality: &str) -> Option<u64> {
        if let Some(tokens) = self.output_table.get(&format!("{size}/{quality}")) {
            return Some(u64::from(*tokens));
        }
        let factor = u64::from(*self.output_factors.get(quality)?);
        let long = u64::from(size.width.max(size.height)).max(1);
        let short = u64::from(size.width.min(size.height));
        let rows = (2 * u128::from(factor) * u128::from(short) + u128::from(long)) / (2 * u128::from(long));
        let tokens = (u128::from(factor) * rows).checked_mul(2_000_000 + u128::from(size.pixels()))?;
        u64::try_from(tokens.div_ceil(4_000_000)).ok()
    }

    /// Returns the tokens of one input picture; the most there can be if its size is not known.
    pub fn image_tokens(&self, size: Option<PixelSize>) -> u64 {
        let most = u64::from(self.input_image_most);
        let (Some(patch), Some(size)) = (self.input_patch.filter(|patch| *patch > 0), size) else { return most };
        most.min(u64::from(size.width.div_ceil(patch)) * u64::from(size.height.div_ceil(patch)))
    }

    /// Returns what these tokens cost, exactly; `None` if some of them have no rate or the price does not fit.
    pub fn cost(&self, usage: &TokenUsage) -> Option<Exact> {
        let part = |rate: Option<Micros>, tokens: u64| match (tokens, rate) {
            (0, _) => Some(Exact::ZERO),
            (_, Some(rate)) => Exact::product(&[i128::from(rate.get()), i128::from(tokens)], PER_TOKENS),
            (_, None) => None,
        };
        let remembered = |cached: u64, all: u64| (all.saturating_sub(cached), cached.min(all));
        let (text_new, text_cached) = remembered(usage.text_cached, usage.text_in);
        let (image_new, image_cached) = remembered(usage.image_cached, usage.image_in);
        let parts = [
            part(Some(self.text_in), text_new)?,
            part(self.text_cached.or(Some(self.text_in)), text_cached)?,
            part(self.image_in, image_new)?,
            part(self.image_cached.or(self.image_in), image_cached)?,
            part(Some(self.image_out), usage.image_out)?,
            part(self.text_out, usage.text_out)?,
        ];
        parts.into_iter().try_fold(Exact::ZERO, Exact::plus)
    }
}

/// Tokens that a provider counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenUsage {
    /// Of the prompt.
    pub text_in: u64,
    /// How many of `text_in` the provider remembered.
    pub text_cached: u64,
    /// Of the input pictures.
    pub image_in: u64,
    /// How many of `image_in` the provider remembered.
    pub image_cached: u64,
    /// Of the result.
    pub image_out: u64,
    /// Of text that came with the result.
    pub text_out: u64,
}
