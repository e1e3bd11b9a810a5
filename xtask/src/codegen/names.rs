//! From the model's names to Rust's.

/// `RegisterTaskDefinition` → `register_task_definition`; `IPAddress` → `ip_address`; `taskRoleArn` → `task_role_arn`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let before = i.checked_sub(1).map(|j| chars[j]);
        let after = chars.get(i + 1);
        let starts_word = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        // A plural of an abbreviation (`ARNs`) is one word.
        let plural = after == Some(&'s') && chars.get(i + 2).is_none_or(char::is_ascii_uppercase);
        if starts_word && !(plural && before.is_some_and(|b| b.is_ascii_uppercase())) && !out.ends_with('_') {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A struct field: snake case, keywords escaped.
pub fn field(name: &str) -> String {
    let name = snake(name);
    const KEYWORDS: [&str; 16] = [
        "type", "ref", "match", "mod", "move", "use", "where", "loop", "in", "impl", "enum", "async", "await", "final",
        "override", "static",
    ];
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// A type: the shape's name with a capital first letter.
pub fn type_name(shape: &str) -> String {
    let mut chars = shape.chars();
    match chars.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + chars.as_str(),
        None => String::new(),
    }
}

/// An enum's variant: `EC2` → `Ec2`, `MANAGED_INSTANCES` → `ManagedInstances`, `containerInsights` →
/// `ContainerInsights`, `2012-10-17` → `V20121017`.
pub fn variant(word: &str) -> String {
    let mut out = String::new();
    for part in word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let shouted = !part.chars().any(|c| c.is_ascii_lowercase());
        let mut chars = part.chars();
        if let Some(first) = chars.next() {
            out.push(first.to_ascii_uppercase());
        }
        out.extend(chars.map(|c| if shouted { c.to_ascii_lowercase() } else { c }));
    }
    match out.chars().next() {
        None => "Empty".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("V{out}"),
        Some(_) if out == "Self" => "Itself".to_owned(),
        Some(_) => out,
    }
}

/// A constant: `ClusterNotFoundException` → `CLUSTER_NOT_FOUND`.
pub fn error_constant(shape: &str) -> String {
    snake(shape.strip_suffix("Exception").unwrap_or(shape)).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_rust_names_do() {
        for (model, rust) in [
            ("RegisterTaskDefinition", "register_task_definition"),
            ("taskRoleArn", "task_role_arn"),
            ("IPAddress", "ip_address"),
            ("PolicyARNs", "policy_arns"),
            ("SSHPublicKeyId", "ssh_public_key_id"),
            ("efsVolumeConfiguration", "efs_volume_configuration"),
            ("x-amz-id", "x_amz_id"),
        ] {
            assert_eq!(snake(model), rust);
        }
        assert_eq!(variant("EC2"), "Ec2");
        assert_eq!(variant("MANAGED_INSTANCES"), "ManagedInstances");
        assert_eq!(variant("containerInsights"), "ContainerInsights");
        assert_eq!(variant("2012-10-17"), "V20121017");
        assert_eq!(error_constant("ClusterNotFoundException"), "CLUSTER_NOT_FOUND");
    }
}
