//! What is to be done next about a workload, from what is wanted and what its node is known to have.

use super::super::Placement;
use super::state::Known;

/// What is to be done next about a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Everything is as it should be, or on its way.
    Nothing,
    /// The node is told what is wanted.
    Assign,
    /// The node had it and has it no more: it is lost.
    Lose,
    /// The node is told to forget it.
    Retire,
    /// What is kept here goes, too.
    Forget,
    /// The node has it, and nobody here wanted it: it is killed.
    Kill,
}

/// What is to be done next.
pub(super) fn next(placement: Option<&Placement>, known: Option<&Known>) -> Step {
    match (placement, known) {
        (None, None) => Step::Nothing,
        (None, Some(known)) if known.is_stopped => Step::Retire,
        (None, Some(known)) if known.is_condemned => Step::Nothing,
        (None, Some(_)) => Step::Kill,
        (Some(placement), None) if placement.is_removed => Step::Forget,
        (Some(placement), None) if placement.is_stopped => Step::Nothing,
        (Some(placement), None) if placement.is_accepted => Step::Lose,
        (Some(_), None) => Step::Assign,
        (Some(placement), Some(known)) if known.is_stopped => {
            if placement.is_removed {
                Step::Retire
            } else {
                Step::Nothing
            }
        }
        (Some(placement), Some(known)) if known.generation < placement.generation => Step::Assign,
        (Some(_), Some(_)) => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use store::Scope;
    use workload::Demand;

    use super::super::super::record::Owner;
    use super::*;

    fn placement(generation: u64) -> Placement {
        Placement {
            owner: Owner::of(&Scope::system()),
            demand: Demand::default(),
            generation,
            is_accepted: true,
            is_stopped: false,
            is_removed: false,
            ships: Vec::new(),
        }
    }

    fn known(generation: u64) -> Known {
        Known::new(generation)
    }

    #[test]
    fn what_the_node_never_had_is_assigned_and_what_it_had_is_lost() {
        assert_eq!(next(Some(&Placement { is_accepted: false, ..placement(1) }), None), Step::Assign);
        assert_eq!(next(Some(&placement(1)), None), Step::Lose);
        assert_eq!(next(Some(&Placement { is_stopped: true, ..placement(2) }), None), Step::Nothing);
    }

    #[test]
    fn a_node_is_told_what_it_has_not_heard_of_yet() {
        assert_eq!(next(Some(&placement(2)), Some(&known(1))), Step::Assign);
        assert_eq!(next(Some(&placement(2)), Some(&known(2))), Step::Nothing);
        let lost = Placement { is_stopped: true, ..placement(2) };
        assert_eq!(next(Some(&lost), Some(&known(1))), Step::Assign, "it came back, and is killed");
    }

    #[test]
    fn what_was_removed_is_retired_once_it_has_stopped_and_then_forgotten() {
        let removed = Placement { is_stopped: true, is_removed: true, ..placement(2) };
        assert_eq!(next(Some(&removed), Some(&known(1))), Step::Assign);
        assert_eq!(next(Some(&removed), Some(&known(2))), Step::Nothing);
        assert_eq!(next(Some(&removed), Some(&Known { is_stopped: true, ..known(1) })), Step::Retire);
        assert_eq!(next(Some(&removed), None), Step::Forget);
    }

    #[test]
    fn what_nobody_wanted_is_killed_once_and_retired() {
        assert_eq!(next(None, Some(&known(1))), Step::Kill);
        assert_eq!(next(None, Some(&Known { is_condemned: true, ..known(2) })), Step::Nothing);
        assert_eq!(next(None, Some(&Known { is_stopped: true, ..known(2) })), Step::Retire);
        assert_eq!(next(None, None), Step::Nothing);
    }
}
