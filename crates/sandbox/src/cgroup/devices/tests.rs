use super::*;

/// What the kernel would do with a program: enough of its machine for these.
fn run(program: &[Instruction], kind: u32, access: u32, major: u32, minor: u32) -> bool {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0u64; 11];
    let mut at = 0usize;
    for _ in 0..=program.len() {
        let (code, destination, source, offset, immediate) = program[at].parts();
        at += 1;
        match code {
            0x61 => registers[destination] = u64::from(context[usize::try_from(offset).unwrap() / 4]),
            0xBC => registers[destination] = registers[source] & 0xFFFF_FFFF,
            0xB4 => registers[destination] = u64::from(immediate.cast_unsigned()),
            0x54 => registers[destination] &= u64::from(immediate.cast_unsigned()),
            0x74 => registers[destination] >>= immediate,
            0x55 if registers[destination] != i64::from(immediate).cast_unsigned() => {
                at += usize::try_from(offset).unwrap()
            }
            0x55 => {}
            0x95 => return registers[0] == 1,
            other => panic!("{other:#x} is no instruction of ours"),
        }
    }
    panic!("it goes round");
}

/// The same decision in words.
fn is_allowed(rules: &DeviceRules, kind: u32, access: u32, major: u32, minor: u32) -> bool {
    rules.allowed.iter().any(|rule| {
        let of_kind = if rule.kind == DeviceKind::Block { 1 } else { 2 } == kind;
        let rights = u32::from(rule.mknod) | u32::from(rule.read) << 1 | u32::from(rule.write) << 2;
        let matches = rule.major.is_none_or(|one| one == major) && rule.minor.is_none_or(|one| one == minor);
        of_kind && access & !rights == 0 && matches && rights != 0
    })
}

#[test]
fn the_program_decides_as_the_rules_say() {
    let kmsg = DeviceRule {
        kind: DeviceKind::Character,
        major: Some(1),
        minor: Some(11),
        read: true,
        write: false,
        mknod: false,
    };
    let disk =
        DeviceRule { kind: DeviceKind::Block, major: Some(254), minor: None, read: true, write: true, mknod: false };
    let mut more = DeviceRules::usual();
    more.allowed.extend([kmsg, disk]);
    for rules in [DeviceRules::default(), DeviceRules::usual(), DeviceRules::everything(), more] {
        let program = program(&rules);
        for kind in [1, 2] {
            for access in 1..8 {
                for (major, minor) in
                    [(1, 3), (1, 11), (5, 0), (5, 1), (5, 2), (136, 7), (254, 0), (254, 3), (10, 200), (0, 0)]
                {
                    let wanted = is_allowed(&rules, kind, access, major, minor);
                    let given = run(&program, kind, access, major, minor);
                    assert_eq!(given, wanted, "kind {kind} access {access} device {major}:{minor}");
                }
            }
        }
    }
}

#[test]
fn containers_have_null_and_terminals_but_not_the_hosts_console_or_disks() {
    let program = program(&DeviceRules::usual());
    assert!(run(&program, 2, 6, 1, 3));
    assert!(run(&program, 2, 6, 136, 12));
    assert!(run(&program, 1, 1, 254, 0), "a file for a disk can be made");
    assert!(!run(&program, 1, 2, 254, 0), "but not be opened");
    assert!(!run(&program, 2, 4, 5, 1));
    assert!(!run(&program, 2, 2, 1, 1), "memory");
}

#[test]
fn version_1_is_told_by_lines() {
    let lines: Vec<_> = DeviceRules::usual().allowed.iter().map(DeviceRule::line).collect();
    assert_eq!(lines[..4], ["c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm"]);
    assert_eq!(lines.last().unwrap(), "c 136:* rwm");
}

#[test]
fn a_program_of_the_most_rules_is_one_that_every_kernel_takes() {
    let rule = DeviceRule {
        kind: DeviceKind::Character,
        major: Some(1),
        minor: Some(1),
        read: true,
        write: false,
        mknod: false,
    };
    let program = program(&DeviceRules { allowed: vec![rule; DEVICE_RULES_MAX] });
    assert!(program.len() <= 4096, "{}", program.len());
}
