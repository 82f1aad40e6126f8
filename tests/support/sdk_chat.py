"""One question by the official SDK, whole and streamed: sdk_chat.py BASE_URL USER MODEL QUERY

Prints {"models": [id], "whole": {"text", "finish", "usage"}, "stream": {"text", "finish", "usage", "chunks"}}.
"""
import json
import sys

import openai

base, user, model, query = sys.argv[1:]
client = openai.OpenAI(base_url=base, api_key="unused", default_headers={"X-User-ID": user}, max_retries=0)
ask = {"model": model, "messages": [{"role": "user", "content": query}], "max_tokens": 32}

whole = client.chat.completions.create(**ask)
chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
choices = [choice for chunk in chunks for choice in chunk.choices]
usages = [chunk.usage for chunk in chunks if chunk.usage]
print(json.dumps({
    "models": [m.id for m in client.models.list()],
    "whole": {
        "text": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "usage": whole.usage and whole.usage.model_dump(exclude_none=True),
    },
    "stream": {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": [choice.finish_reason for choice in choices if choice.finish_reason],
        "usage": [usage.model_dump(exclude_none=True) for usage in usages],
        "chunks": len(chunks),
    },
}))
