"""Both clients of the official SDK, step by step: sdk_clients.py BASE_URL USER MODEL STEP...

Prints {step: what the SDK made of it}; an exception is {"raised", "status", "code", "param", "message"}.
"""
import asyncio
import json
import sys

import openai

base, user, model, *steps = sys.argv[1:]
options = {"base_url": base, "api_key": "unused", "max_retries": 0}
client = openai.OpenAI(**options)

TOOLS = [{
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}]


def ask(query, **more):
    """`ignore_eos` is llama.cpp's own: an answer of exactly so many tokens."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": query}],
        "max_tokens": 16,
        "extra_headers": {"X-User-ID": user},
        "extra_body": {"ignore_eos": True},
        **more,
    }


def of_whole(whole):
    choice = whole.choices[0]
    calls = choice.message.tool_calls or []
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
        "usage": whole.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}),
    }


def of_chunks(chunks):
    choices = [choice for chunk in chunks for choice in chunk.choices]
    calls = {}
    for choice in choices:
        for call in choice.delta.tool_calls or []:
            name, arguments = calls.get(call.index, ("", ""))
            calls[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": [choice.finish_reason for choice in choices if choice.finish_reason],
        "calls": [[name, json.loads(arguments)] for name, arguments in calls.values()],
        "usage": [u.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}) for u in usages],
        "ids": len({chunk.id for chunk in chunks}),
    }


def streamed(query, **more):
    return ask(query, stream=True, stream_options={"include_usage": True}, **more)


def models():
    return [m.id for m in client.models.list()]


def sync_whole():
    raw = client.chat.completions.with_raw_response.create(**ask("sync whole"))
    return {**of_whole(raw.parse()), "memory": raw.headers.get("x-sundynix-memory")}


def sync_stream():
    return of_chunks(list(client.chat.completions.create(**streamed("sync stream"))))


def async_whole():
    async def run():
        async with openai.AsyncOpenAI(**options) as client:
            return of_whole(await client.chat.completions.create(**ask("async whole")))
    return asyncio.run(run())


def async_stream():
    async def run():
        async with openai.AsyncOpenAI(**options) as client:
            stream = await client.chat.completions.create(**streamed("async stream"))
            return of_chunks([chunk async for chunk in stream])
    return asyncio.run(run())


def helper():
    """The SDK's own accumulator is the strictest reader it has; it raises where the answer was cut by its length."""
    text = ""
    try:
        with client.chat.completions.stream(**ask("helper")) as stream:
            for event in stream:
                if event.type == "content.delta":
                    text += event.delta
    except openai.LengthFinishReasonError:
        pass
    return {"text": text}


def tools_whole():
    return of_whole(client.chat.completions.create(**ask("tools whole", tools=TOOLS)))


def tools_stream():
    return of_chunks(list(client.chat.completions.create(**streamed("tools stream", tools=TOOLS))))


def tool_result():
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "上海"}'}}
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    return of_whole(client.chat.completions.create(**{**ask(""), "messages": messages, "tools": TOOLS}))


def unknown_model():
    return of_whole(client.chat.completions.create(**{**ask("x"), "model": "nope"}))


def too_long():
    return of_whole(client.chat.completions.create(**ask("long " * 2000)))


def too_long_stream():
    return of_chunks(list(client.chat.completions.create(**streamed("long " * 2000))))


def bad_parameter():
    return of_whole(client.chat.completions.create(**ask("x", extra_body={"temperature": "hot"})))


def schema_whole():
    """An answer in a shape: weights that make no sense can hold to it where there is little to choose."""
    shape = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}
    return of_whole(client.chat.completions.create(**ask("mood?", response_format=shape, max_tokens=400, extra_body={})))


def whole():
    return of_whole(client.chat.completions.create(**ask("whole")))


def broken_sync():
    """How much came before the exception."""
    seen = []
    try:
        for chunk in client.chat.completions.create(**streamed("broken sync", max_tokens=2000)):
            seen.append(chunk)
    except openai.OpenAIError as error:
        return {**raised(error), "chunks": len(seen)}


def broken_async():
    async def run():
        seen = []
        try:
            async with openai.AsyncOpenAI(**options) as client:
                async for chunk in await client.chat.completions.create(**streamed("broken async", max_tokens=2000)):
                    seen.append(chunk)
        except openai.OpenAIError as error:
            return {**raised(error), "chunks": len(seen)}
    return asyncio.run(run())


def raised(error):
    return {
        "raised": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "param": getattr(error, "param", None),
        "message": str(error),
    }


def run(step):
    try:
        return globals()[step]()
    except openai.OpenAIError as error:
        return raised(error)


print(json.dumps({step: run(step) for step in steps}))
