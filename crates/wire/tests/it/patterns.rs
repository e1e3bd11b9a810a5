//! Every pattern of every model, the served operations' and the others'.

use std::path::Path;

/// The patterns of a model, with the shapes that have them.
fn patterns(model: &Path) -> Vec<(String, &'static str)> {
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(model).unwrap()).unwrap();
    let shapes = document["shapes"].as_object().unwrap();
    let pattern = |shape: &serde_json::Value| shape["pattern"].as_str().map(|p| &*p.to_owned().leak());
    shapes.iter().filter_map(|(name, shape)| Some((name.clone(), pattern(shape)?))).collect()
}

#[test]
fn every_pattern_of_every_model_can_be_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let models: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let models: Vec<_> = models.iter().filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    assert!(models.len() >= 3, "{models:?}");
    let mut skipped = Vec::new();
    for model in models {
        for (shape, pattern) in patterns(model) {
            if wire::validate::compiled(pattern).is_none() {
                skipped.push(format!("{} {shape} {pattern}", model.display()));
            }
        }
    }
    assert!(skipped.is_empty(), "would not be checked:\n{}", skipped.join("\n"));
}
