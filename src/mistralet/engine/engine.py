"""`Engine`: requests in, tokens and text out; a loop of steps over everything that runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from collections.abc import Sequence as ListOf
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from typing import Any

import torch

from mistralet.engine.answer import Answer
from mistralet.engine.batch_builder import BatchBuilder
from mistralet.engine.block_pool import BlockPool
from mistralet.engine.constraint import ConstraintCompiler, Matcher
from mistralet.engine.drawing import Drawing
from mistralet.engine.events import Event, EventKind, Listener
from mistralet.engine.kept_prompts import KeptPrompts
from mistralet.engine.kv_library import KVLibrary, library_root
from mistralet.engine.model_runner import ModelRunner
from mistralet.engine.options import EngineOptions
from mistralet.engine.pace import Pace
from mistralet.engine.pooling import pool_prompts
from mistralet.engine.prompt_scores import score_prompts
from mistralet.engine.repetition import RepetitionWatchdog, TokenParts
from mistralet.engine.request import Completion, Request, StepOutput, check_prompt
from mistralet.engine.running_step import Drawn, RunningStep
from mistralet.engine.sampling import SamplerRow, sequence_breakers
from mistralet.engine.scheduler import Chunk, Scheduler
from mistralet.engine.sequence import Sequence, State
from mistralet.engine.speculation import Drafter, DraftModel, PromptLookup
from mistralet.engine.tensor_parallel import new_cache
from mistralet.errors import ConstraintError, EngineError, UsageError
from mistralet.model import MistralSmall
from mistralet.ops import BLOCK_SIZE
from mistralet.tokenizer import Tokenizer

# Seconds that a step waits for a grammar if there is nothing else to do: so long a new request may wait for the step.
_IDLE = 0.01


class Engine:
    """Runs many requests at once on one model.

    `add` and `step` are the loop itself; `stream` and `generate` run it for one request and for a list. A request's
    tokens are the same alone and among any others: they depend on its prompt, parameters and seed only.
    """

    def __init__(
        self,
        model: MistralSmall,
        tokenizer: Tokenizer,
        options: EngineOptions | None = None,
        name: str = "",
        listener: Listener | None = None,
        draft_model: MistralSmall | None = None,
        library: KVLibrary | None = None,
    ) -> None:
        """
        Args:
            library: keeps long prompts on disk.
            draft_model: guesses tokens ahead, in place of prompt lookup; of the same vocabulary.
            name: the model's identity, for caches that outlive the process.
            listener: told of everything that happens.
        """
        options = options or EngineOptions()
        self.model = model
        self.tokenizer = tokenizer
        self.context = model.config.max_position_embeddings
        self.cache = new_cache(model, options.kv_type_of(model), options.blocks_of(model))
        self.library = library
        self.pool = BlockPool(self.cache.blocks, library_root(name, self.cache))
        self.drafter = self._new_drafter(options, draft_model)
        self.prompts = KeptPrompts(library, self.cache)
        self.scheduler = Scheduler(self.pool, options.max_sequences, self._copy_block, self.prompts.restore)
        self.batches = BatchBuilder(model)
        self.runner = ModelRunner(model, self.cache)
        self.drawing = Drawing(model.config.vocab_size)
        self.compiler = ConstraintCompiler(tokenizer, tokenizer.stop_ids)
        self.token_parts = TokenParts(tokenizer.token_bytes)
        self.pace = Pace(options.prefill_tokens_of(model))
        self.listener = listener
        self.helpers = ExitStack()  # closed with it
        self._requests: dict[str, list[Sequence]] = {}  # unfinished
        self._compiling: dict[Sequence, Future[Matcher]] = {}  # whose grammars are compiled
        self._inboxes: dict[str, deque[StepOutput]] = {}  # of requests that `stream` runs
        self._arrivals = 0
        # Else the model would keep the host from its work, not run beside it.
        self.launches_ahead = model.norm.weight.device.type == "cuda" and model.shard.size == 1
        self._ahead: RunningStep | None = None  # the next step, if it was launched ahead
        self._told = 0.0  # when the last step was told of
        self.runner.prepare()

    @property
    def has_work(self) -> bool:
        """Whether there are unfinished requests."""
        return bool(self._requests)

    def check(self, request: Request) -> None:
        """Refuse what cannot run.

        Raises:
            PromptError: the prompt is empty, or leaves no room in the context or in the cache.
            UsageError: a request of that id runs already.
        """
        room = self.pool.size * BLOCK_SIZE
        check_prompt(request.prompt.ids, self.model.config.vocab_size, self.context, room)
        if request.id in self._requests:
            raise UsageError(f"A request called '{request.id}' runs already; give each an id of its own.")

    def add(self, request: Request) -> None:
        """Take a request in; `step` will run it.

        Raises:
            PromptError, UsageError: see `check`.
        """
        self.check(request)
        length = len(request.prompt.ids)
        limit = min(self.context, self.pool.size * BLOCK_SIZE)
        if request.params.max_tokens is not None:
            limit = min(limit, length + request.params.max_tokens)
        sequences = []
        for index in range(request.params.n):
            sequences.append(self._new_sequence(request, index, limit - length))
            self._arrivals += 1
        self._requests[request.id] = sequences
        for sequence in sequences:
            self._tell("queued", sequence, prompt_tokens=length)
            if request.constraint is None:
                self.scheduler.add(sequence)
            else:
                self._compiling[sequence] = self.compiler.submit(request.constraint)

    def _new_sequence(self, request: Request, index: int, room: int) -> Sequence:
        params = request.params.of_choice(index)
        watchdog = RepetitionWatchdog(request.repetition, self.token_parts)
        answer = Answer(self.tokenizer, params, room, watchdog)
        breakers = sequence_breakers(params, self.tokenizer)
        row = SamplerRow(params, request.prompt.ids, answer.token_ids, self.tokenizer.stop_ids, breakers)
        return Sequence(request, index, self._arrivals, answer, row, self.pool.root)

    def cancel(self, request_id: str) -> bool:
        """End a request at once: its blocks are free, nothing comes of it any more. False if it was not running."""
        sequences = self._requests.pop(request_id, [])
        for sequence in sequences:
            if sequence.state is not State.FINISHED:
                self._remove(sequence)
                self._tell("finished", sequence, reason="cancelled", stats=sequence.stats, **self.scheduler.load)
        return bool(sequences)

    def close(self) -> None:
        """End the threads and processes that help it."""
        with suppress(EngineError):  # they have ended already
            self.model.shard.lead("end")
        self.helpers.close()
        self.drawing.close()
        self.compiler.close()

    @torch.inference_mode()
    def step(self) -> list[StepOutput]:
        """Run the model once over what the scheduler chooses; what came of it, for each answer that got on.

        Where `launches_ahead`, the model is at the next step while the tokens of this one become text, and while the
        caller does what it does. An answer that turns out to have ended, or is cancelled then, has run in vain.
        """
        outputs = self._take_compiled()
        step = self._launched() or self._launch()
        if step is None:
            return self._deliver(outputs)
        certain: list[Drawn] = []
        for drawn in self._draw(step):
            if self.launches_ahead and drawn.is_certain:
                self._settle(drawn, [sampled.token for sampled in drawn.sampled])
                certain.append(drawn)
            else:
                outputs.append(self._advance(drawn))
        try:
            if self.launches_ahead and self.scheduler.is_steady:
                self._ahead = self._launch()
        finally:  # whatever becomes of that, answers must have the tokens that their sequences have
            outputs += [self._advance(drawn) for drawn in certain]
            self._tell_of_step(step)
            self._deliver(outputs)
        return outputs

    def stream(self, request: Request) -> Generator[StepOutput, None, None]:
        """Run a request; what each step adds to its answers, until all have ended. Leaving early cancels it.

        Several streams of one engine share its steps.

        Raises:
            PromptError, UsageError: at once, see `check`.
        """
        self.check(request)
        return self._run(request)

    def _run(self, request: Request) -> Generator[StepOutput, None, None]:
        inbox = self._inboxes[request.id] = deque()
        unfinished = request.params.n
        try:
            self.add(request)
            while unfinished:
                while not inbox:
                    self.step()
                output = inbox.popleft()
                unfinished -= output.finish_reason is not None
                yield output
        finally:
            del self._inboxes[request.id]
            self.cancel(request.id)

    def generate(
        self, requests: ListOf[Request], progress: Callable[[int, int], None] | None = None
    ) -> list[Completion]:
        """Run all requests; their answers in the order of the requests, `n` for each.

        Args:
            progress: called with the answers that have ended, and all of them; `progress_bar` gives one.

        Raises:
            PromptError, UsageError: before anything runs.
        """
        for request in requests:
            self.check(request)
        parts: dict[tuple[str, int], list[StepOutput]] = {
            (request.id, index): [] for request in requests for index in range(request.params.n)
        }
        try:
            for request in requests:
                self.add(request)
            ended = 0
            while ended < len(parts):
                for output in self.step():
                    if (output.request_id, output.index) in parts:
                        parts[output.request_id, output.index].append(output)
                        ended += output.finish_reason is not None
                if progress is not None:
                    progress(ended, len(parts))
        finally:
            for request in requests:
                self.cancel(request.id)
        return [Completion.of(outputs) for outputs in parts.values()]

    def _launched(self) -> RunningStep | None:
        """The step that was launched ahead, unless nobody wants it any more."""
        step, self._ahead = self._ahead, None
        if step is None or step.is_wanted:
            return step
        self.runner.wait()  # it may still read what the next one writes
        return None

    def _launch(self) -> RunningStep | None:
        """Have the model run over what the scheduler chooses, if that is anything; a GPU has not done it on return."""
        begun = time.perf_counter()
        decoding = sum(sequence.pending == 1 for sequence in self.scheduler.running)
        self.drafter.begin(decoding)
        chunks = self.scheduler.schedule(self.pace.budget(decoding > 0), self.drafter.length)
        self._tell_of_schedule(chunks, begun)
        if not chunks:
            return None
        self.drafter.draft(chunks)
        drawing_rows = self.drawing.begin(chunks)
        batch = self.batches.batch(chunks)
        model_begun = time.perf_counter()
        hidden = self.runner(batch)
        self.drafter.follow(batch)
        # Where all are drawn from, as in most steps, they need not be picked out.
        logits, maxima = self.model.score(hidden if len(drawing_rows) == len(hidden) else hidden[drawing_rows])
        return RunningStep(chunks, hidden, logits, maxima, begun, time.perf_counter() - model_begun)

    def _draw(self, step: RunningStep) -> list[Drawn]:
        """What a step leads to, but for sequences that have ended since it was launched."""
        tokens = self.drawing.draw(step.logits, step.maxima)
        if not len(step.logits):
            self.runner.wait()  # else it is not known how long prompts take
        prompt_scores = score_prompts(self.model, self.drawing.sampler, step.chunks, step.hidden)
        pool_prompts(self.model, step.chunks, step.hidden)
        now = time.perf_counter()
        self._measure(step.chunks, now - step.begun)
        return [
            Drawn(chunk, sampled, prompt_scores.get(chunk.sequence, ()), now)
            for chunk, sampled in zip(step.chunks, tokens, strict=True)
            if chunk.sequence.state is State.RUNNING
        ]

    def _advance(self, drawn: Drawn) -> StepOutput:
        """Take what was drawn into an answer, until it ends."""
        sequence, answer = drawn.chunk.sequence, drawn.chunk.sequence.answer
        added, text = answer.take(drawn.sampled)
        if not drawn.is_settled:
            self._settle(drawn, added)
        is_first = bool(added) and not sequence.stats.output_tokens
        sequence.count(len(added), len(drawn.chunk.draft), drawn.time)
        if is_first:
            self.prompts.keep(sequence)
            self._tell("first_token", sequence, seconds=sequence.stats.time_to_first_token)
        if answer.finish_reason is not None:
            self._finish(sequence)
        return sequence.output(added, text, drawn.sampled[: len(added)], drawn.prompt_logprobs)

    def _settle(self, drawn: Drawn, tokens: list[int]) -> None:
        """Give a sequence its new tokens, with which it goes on."""
        self.drafter.learn(drawn.chunk, drawn.sampled)
        drawn.chunk.sequence.extend(tokens)
        self.scheduler.advance(drawn.chunk.sequence, drawn.chunk.tokens + len(tokens[1:]))
        drawn.is_settled = True

    def _take_compiled(self) -> list[StepOutput]:
        """Let sequences run whose grammar is compiled; end those whose grammar is refused."""
        if not self._compiling:
            return []
        idle = not self.scheduler.running and not self.scheduler.waiting
        wait(self._compiling.values(), timeout=_IDLE if idle else 0, return_when=FIRST_COMPLETED)
        refused = []
        for sequence in [sequence for sequence, future in self._compiling.items() if future.done()]:
            try:
                sequence.answer.matcher = self._compiling.pop(sequence).result()
                self.scheduler.add(sequence)
            except Exception as error:  # whatever it is, the other requests have no part in it
                sequence.state = State.FINISHED
                is_refusal = isinstance(error, ConstraintError)
                sequence.answer.fail(str(error) if is_refusal else f"The constraint cannot be compiled: {error!r}.")
                self._finish(sequence)
                refused.append(sequence.output([], ""))
        return refused

    def _deliver(self, outputs: list[StepOutput]) -> list[StepOutput]:
        for output in outputs:
            if output.request_id in self._inboxes:
                self._inboxes[output.request_id].append(output)
        return outputs

    def _measure(self, chunks: list[Chunk], seconds: float) -> None:
        read = sum(chunk.tokens for chunk in chunks if chunk.tokens > 1)
        if read:
            self.pace.record(read, seconds)
        else:
            self.drafter.record(sum(1 + len(chunk.draft) for chunk in chunks), seconds)

    def _finish(self, sequence: Sequence) -> None:
        self._remove(sequence)
        reason = sequence.answer.finish_reason
        self._tell("finished", sequence, reason=reason, stats=sequence.stats, **self.scheduler.load)
        siblings = self._requests[sequence.request.id]
        if all(sibling.state is State.FINISHED for sibling in siblings):
            del self._requests[sequence.request.id]

    def _remove(self, sequence: Sequence) -> None:
        if self._compiling.pop(sequence, None) is not None:
            sequence.state = State.FINISHED
        elif sequence.state is not State.FINISHED:
            self.scheduler.remove(sequence)
        self.drafter.forget(sequence)

    def _copy_block(self, source: int, target: int) -> None:
        self.model.shard.lead("copy_block", source, target)
        self.cache.copy_block(source, target)
        self.drafter.copy_block(source, target)

    def _new_drafter(self, options: EngineOptions, model: MistralSmall | None) -> Drafter:
        if model is not None:
            return DraftModel(model, self.model, self.cache.kv_type, self.cache.blocks)
        return PromptLookup() if options.prompt_lookup else Drafter()

    def _tell_of_schedule(self, chunks: list[Chunk], now: float) -> None:
        for sequence in self.scheduler.preempted:
            self._tell("preempted", sequence)
        for chunk in chunks:
            sequence = chunk.sequence
            if not sequence.was_scheduled:
                sequence.was_scheduled = True
                sequence.stats.queue_seconds = now - sequence.arrived
                sequence.stats.cached_tokens = sequence.computed
                self._tell("scheduled", sequence, cached_tokens=sequence.computed)

    def _tell_of_step(self, step: RunningStep) -> None:
        now = time.perf_counter()
        self._tell(
            "step",
            seconds=now - max(step.begun, self._told),  # no time counts for two steps
            model_seconds=step.model_seconds,
            tokens=sum(chunk.tokens + len(chunk.draft) for chunk in step.chunks),
            **self.scheduler.load,
        )
        self._told = now

    def _tell(self, kind: EventKind, sequence: Sequence | None = None, **facts: Any) -> None:
        if self.listener is not None:
            request_id, index = (None, 0) if sequence is None else (sequence.request.id, sequence.index)
            self.listener(Event(kind, time.perf_counter(), request_id, index, facts))
