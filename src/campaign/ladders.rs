//! What a ladder's baseline has locked: a step that climbs it may not change its settings besides the slot.

use std::sync::Arc;

use crate::steps::SettingsSpec;
use crate::types::{Diagnostic, Diagnostics, FieldPath};

/// Notes the settings in which a step that climbs a ladder differs from the ladder's baseline.
pub fn locked(name: &str, baseline: (&Arc<str>, &SettingsSpec), own: &SettingsSpec, at: &FieldPath, found: &mut Diagnostics) {
    let (baseline, locked) = baseline;
    for ((key, own), (_, locked)) in shown(own).into_iter().zip(shown(locked)) {
        let (Some(own), Some(locked)) = (own, locked) else { continue };
        if own == locked {
            continue;
        }
        let message = format!("the rungs of `{name}` change `{key}`, too: baseline `{baseline}` has `{locked}`");
        found.push(
            Diagnostic::error("rung-changes-two-things", at.key(key), message)
                .label("a rung may change one slot only")
                .related(FieldPath::campaign().key("baselines").key(baseline).key(key), "what the rungs are compared with")
                .help(format!("leave `{key}` out here, or make a baseline of its own for it")),
        );
    }
}

fn shown(settings: &SettingsSpec) -> [(&'static str, Option<String>); 10] {
    [
        ("model", settings.model.clone()),
        ("provider", settings.provider.clone()),
        ("aspect", settings.aspect.map(|aspect| aspect.to_string())),
        ("fit", settings.fit.map(|fit| fit.to_string())),
        ("resolution", settings.resolution.clone()),
        ("quality", settings.quality.clone()),
        ("speed", settings.speed.clone()),
        ("background", settings.background.clone()),
        ("format", settings.format.map(|format| format.to_string())),
        ("seed", settings.seed.map(|seed| seed.to_string())),
    ]
}
