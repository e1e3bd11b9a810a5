//! `docs/services/<name>.md`: every operation, served or not.

use std::fmt::Write as _;

use super::MARKER;
use super::model::Model;
use super::names;

pub fn render(model: &Model) -> String {
    let title = model.metadata["serviceFullName"].as_str().unwrap_or(&model.name);
    let mut out = format!("<!-- {MARKER} -->\n\n# {title}\n\n");
    if model.in_preparation {
        let _ = writeln!(
            out,
            "Being built, and not served: {} of {} operations are written. Until the service is complete enough to be true, every \
             call of it answers `NotImplemented` (HTTP 501).",
            model.served().count(),
            model.operations.len()
        );
        return out;
    }
    let _ = writeln!(
        out,
        "{} of {} operations are served. The others answer `NotImplemented` (HTTP 501) with a message that names them.\n",
        model.served().count(),
        model.operations.len()
    );
    out.push_str("| operation | served | code |\n| --- | --- | --- |\n");
    for operation in &model.operations {
        let (served, code) = if operation.served {
            let file = format!("services/{}/src/ops/{}.rs", model.name, names::snake(&operation.name));
            ("yes", format!("[`{file}`](../../{file})"))
        } else {
            ("no", String::new())
        };
        let _ = writeln!(out, "| {} | {served} | {code} |", operation.name);
    }
    out
}
