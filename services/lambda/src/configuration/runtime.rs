//! The runtimes that Lambda knows.
//!
//! Source: the model's enumeration, and Lambda developer guide, "Lambda runtimes".

use crate::Error;

/// Those that AWS lets functions be made with.
const CURRENT: [&str; 25] = [
    "dotnet10",
    "dotnet8",
    "java11",
    "java11.al2023",
    "java17",
    "java17.al2023",
    "java21",
    "java25",
    "java8.al2",
    "java8.al2023",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "provided.al2",
    "provided.al2023",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
];
/// Those that AWS once did.
const RETIRED: [&str; 26] = [
    "dotnet6",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "ruby2.5",
    "ruby2.7",
];

/// What Lambda says of a runtime's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Functions are made with it.
    Current,
    /// They were, once.
    Retired,
    /// There is none of this name.
    Unknown,
}

/// What Lambda says of a name.
pub fn standing(runtime: &str) -> Standing {
    match runtime {
        current if CURRENT.contains(&current) => Standing::Current,
        retired if RETIRED.contains(&retired) => Standing::Retired,
        _ => Standing::Unknown,
    }
}

/// Checks a function's runtime, as far as it is no matter of what is offered here.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn check(runtime: &str, refuses_retired: bool) -> Result<(), Error> {
    match standing(runtime) {
        Standing::Current => Ok(()),
        Standing::Retired if !refuses_retired => Ok(()),
        Standing::Retired => Err(Error::Parameter(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We \
             recommend you use a supported runtime while creating or updating functions."
        ))),
        Standing::Unknown => Err(Error::Parameter(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: {} or be a valid \
             ARN",
            set()
        ))),
    }
}

/// Checks the runtimes that a layer says it is made for, or that a list is asked for.
///
/// # Errors
/// [`Error::Validation`]
pub(crate) fn check_of_layer<'a>(
    member: &str,
    runtimes: impl IntoIterator<Item = &'a str> + Clone,
) -> Result<(), Error> {
    if runtimes.clone().into_iter().all(|runtime| standing(runtime) != Standing::Unknown) {
        return Ok(());
    }
    let said: Vec<&str> = runtimes.into_iter().collect();
    let said = if member.ends_with('s') { format!("[{}]", said.join(", ")) } else { said.concat() };
    let message = format!(
        "Value '{said}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: {}",
        set()
    );
    Err(Error::Validation(message))
}

/// What is told to whoever names a runtime that no machine here has.
pub(crate) fn not_offered(runtime: &str) -> Error {
    Error::Parameter(format!(
        "No machine of this installation offers the runtime {runtime}: see `pilvi runtime list`. Supply it by \
         `pilvi runtime add {runtime} --image REF` or `pilvi runtime add {runtime} --host PATH`."
    ))
}

fn set() -> String {
    format!("[{}]", CURRENT.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_current_retired_or_none() {
        for current in ["python3.13", "nodejs24.x", "provided.al2023", "ruby4.0"] {
            assert_eq!(standing(current), Standing::Current, "{current}");
        }
        for retired in ["nodejs20.x", "python3.9", "nodejs8.10", "go1.x"] {
            assert_eq!(standing(retired), Standing::Retired, "{retired}");
            check(retired, false).unwrap();
        }
        assert!(
            check("python3.7", true).unwrap_err().to_string().starts_with("The runtime parameter of python3.7 is no")
        );
        let told = check("python9", false).unwrap_err().to_string();
        assert!(
            told.starts_with("Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value")
        );
        assert!(told.ends_with("] or be a valid ARN"));
    }
}
