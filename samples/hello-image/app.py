"""Greets whoever the event names."""

import logging
import os

logging.getLogger().setLevel(logging.INFO)


def handler(event, context):
    """Answers a greeting, and where it comes from."""
    name = event.get("name", "world")
    logging.info("greeting %s", name)
    return {
        "greeting": f"{os.environ.get('GREETING', 'Hello')}, {name}!",
        "function": context.function_name,
        "memory_mb": int(context.memory_limit_in_mb),
        "remaining_ms": context.get_remaining_time_in_millis(),
    }
