using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>Decodes batches of prompts: each shared prefix is computed once, a finished row leaves the batch at once and the next prompt takes its place.</summary>
/// <remarks>
/// A row's tokens depend on its prompt, its options and its seed: not on the rest of the batch, on the chunks of the prefill, or on the number of threads,
/// because the network's rows do not and because each token is drawn from the request's own counter-based stream.
/// </remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers from one run to the next.</threadsafety>
internal sealed class DecodingEngine
{
    // Logits of so many floats at once (16 MiB): a large vocabulary is done a few rows at a time.
    private const int LogitsLimit = 1 << 22;

    private readonly Transformer _transformer;
    private readonly int _maxRows;
    private readonly int _prefillRows;
    private readonly KeyValueStore _store;
    private readonly SlotAllocator _slots = new();
    private readonly RowBatch _batch = new();
    private readonly TokenSampler[] _samplers;
    private readonly int[] _endTokens;
    private readonly List<DecodingRow> _active = [];
    private readonly List<DecodingRow> _admitted = [];
    private readonly List<PrefixNode> _missing = [];
    private readonly List<(PrefixNode Node, int Row)> _ends = [];
    private readonly List<SlotRange> _context = [];
    private float[] _fresh = [];
    private float[] _logits = [];
    private int[] _drawn = [];
    private float[] _drawnLogProbabilities = [];

    /// <summary>Creates an engine.</summary>
    /// <param name="transformer">The network; used by this engine alone while a run lasts.</param>
    /// <param name="maxRows">How many sequences are decoded at once.</param>
    /// <param name="prefillRows">How many prompt tokens a pass computes at most.</param>
    public DecodingEngine(Transformer transformer, int maxRows, int prefillRows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(prefillRows, 1);
        (_transformer, _maxRows, _prefillRows) = (transformer, maxRows, prefillRows);
        _store = new KeyValueStore(transformer.Config);
        _endTokens = [.. transformer.Config.EndTokenIds];
        _samplers = [.. Enumerable.Range(0, transformer.Pool.ThreadCount).Select(_ => new TokenSampler())];
    }

    /// <summary>Decodes some prompts.</summary>
    /// <param name="requests">The prompts; none empty, none as long as the context.</param>
    /// <param name="cancellationToken">Looked at before every pass.</param>
    /// <returns>One sequence a request, in order.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public DecodedSequence[] Run(IReadOnlyList<DecodingRequest> requests, CancellationToken cancellationToken)
    {
        DecodedSequence[] results = new DecodedSequence[requests.Count];
        int[] order = new int[requests.Count];
        PrefixNode[] promptEnds = PrefixNode.Build([.. requests.Select(request => request.Prompt)], order);
        _active.Clear();
        _slots.Reset();
        int next = 0;
        while (next < order.Length || _active.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (next < order.Length && _active.Count < _maxRows)
            {
                int count = Math.Min(_maxRows - _active.Count, order.Length - next);
                Admit(requests, promptEnds, order.AsSpan(next, count), cancellationToken);
                next += count;
                Predict(Fresh(promptEnds), _admitted);
                _active.AddRange(_admitted);
            }
            else
            {
                Predict(Step(), _active);
            }

            Retire(results);
        }

        return results;
    }

    // Computes what is missing of the prompts of some requests, and makes their rows.
    private void Admit(IReadOnlyList<DecodingRequest> requests, PrefixNode[] promptEnds, ReadOnlySpan<int> indices, CancellationToken cancellationToken)
    {
        _admitted.Clear();
        _missing.Clear();
        _batch.Clear();
        _ends.Clear();
        Span<int> computed = indices.Length <= 256 ? stackalloc int[indices.Length] : new int[indices.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            int firstMissing = _missing.Count;
            for (PrefixNode? node = promptEnds[indices[i]]; node is { Slots: null }; node = node.Parent)
            {
                _missing.Add(node);
                node.Slots = _slots.Take(node.End - node.Start);
                computed[i] += node.End - node.Start;
            }

            _missing.Reverse(firstMissing, _missing.Count - firstMissing);
        }

        foreach (PrefixNode node in _missing)
        {
            Prefill(node, cancellationToken);
        }

        FlushPrefill(cancellationToken);
        for (int i = 0; i < indices.Length; i++)
        {
            DecodingRequest request = requests[indices[i]];
            _admitted.Add(new DecodingRow(indices[i], request, promptEnds[indices[i]], _transformer.Config.ContextLength, request.Prompt.Length - computed[i]));
        }
    }

    private void Prefill(PrefixNode node, CancellationToken cancellationToken)
    {
        _context.Clear();
        for (PrefixNode? parent = node.Parent; parent is not null; parent = parent.Parent)
        {
            _context.Add(parent.Slots!.Value);
        }

        _context.Reverse();
        ReadOnlySpan<int> tokens = node.Tokens;
        int slot = node.Slots!.Value.Start;
        for (int done = 0; done < tokens.Length;)
        {
            if (_batch.RowCount == _prefillRows)
            {
                FlushPrefill(cancellationToken);
            }

            int count = Math.Min(tokens.Length - done, _prefillRows - _batch.RowCount);
            int row = _batch.AddSegment(tokens.Slice(done, count), slot + done, CollectionsMarshal.AsSpan(_context));
            _context.Add(new SlotRange(slot + done, count));
            done += count;
            if (done == tokens.Length && node.IsEnd)
            {
                _ends.Add((node, row + count - 1));
            }
        }
    }

    private void FlushPrefill(CancellationToken cancellationToken)
    {
        if (_batch.RowCount == 0)
        {
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        Matrix hidden = Forward();
        foreach ((PrefixNode node, int row) in _ends)
        {
            node.LastHidden = hidden.Row(row).ToArray();
        }

        _ends.Clear();
        _batch.Clear();
    }

    // The hidden rows that predict the first tokens of the admitted rows. Equal prompts share one, which is kept beside their keys and values.
    private Matrix Fresh(PrefixNode[] promptEnds)
    {
        int hidden = _transformer.Config.HiddenSize;
        Matrix rows = new(Buffers.Ensure(ref _fresh, _admitted.Count * hidden), _admitted.Count, hidden);
        for (int i = 0; i < _admitted.Count; i++)
        {
            promptEnds[_admitted[i].Index].LastHidden.CopyTo(rows.Row(i));
        }

        return rows;
    }

    private Matrix Step()
    {
        _batch.Clear();
        foreach (DecodingRow row in _active)
        {
            row.AddTo(_batch, _slots);
        }

        return Forward();
    }

    private Matrix Forward()
    {
        _store.EnsureSlots(_slots.Limit);
        return _transformer.Forward(_batch, _store, tape: null);
    }

    private void Predict(Matrix hidden, List<DecodingRow> rows)
    {
        int vocabulary = _transformer.Config.VocabularySize;
        int chunk = Math.Min(rows.Count, Math.Max(1, LogitsLimit / vocabulary));
        Matrix logits = new(Buffers.Ensure(ref _logits, chunk * vocabulary), chunk, vocabulary);
        if (_drawn.Length < chunk)
        {
            (_drawn, _drawnLogProbabilities) = (new int[chunk], new float[chunk]);
        }

        for (int start = 0; start < rows.Count; start += chunk)
        {
            int count = Math.Min(chunk, rows.Count - start);
            Matrix part = logits.RowRange(0, count);
            MatrixProduct.TimesTransposed(hidden.RowRange(start, count), Matrix.Of(_transformer.Weights.Head), part, accumulate: false, _transformer.Pool);
            int lanes = Math.Min(count, _samplers.Length);
            _transformer.Pool.Run(lanes, (engine: this, part, rows, start, count, lanes), static (state, lane) =>
            {
                for (int i = lane; i < state.count; i += state.lanes)
                {
                    state.engine.Draw(state.engine._samplers[lane], state.part.Row(i), state.rows[state.start + i], i);
                }
            });

            for (int i = 0; i < count; i++)
            {
                rows[start + i].Accept(_drawn[i], _drawnLogProbabilities[i], _endTokens);
            }
        }
    }

    private void Draw(TokenSampler sampler, ReadOnlySpan<float> logits, DecodingRow row, int index)
    {
        float largest = TensorPrimitives.Max(logits);
        if (!float.IsFinite(largest))
        {
            throw new NonFiniteLogitsException(row.TokenCount, largest);
        }

        DecodingRequest request = row.Request;
        int token = sampler.Sample(logits, row.SeenIds, request.Options, SeededDraw.Uniform(request.Seed, row.TokenCount));
        _drawn[index] = token;
        _drawnLogProbabilities[index] = request.IncludeLogProbabilities ? sampler.LogProbability(logits, token) : 0;
    }

    private void Retire(DecodedSequence[] results)
    {
        int kept = 0;
        for (int i = 0; i < _active.Count; i++)
        {
            DecodingRow row = _active[i];
            if (row.FinishReason is null)
            {
                _active[kept++] = row;
            }
            else
            {
                results[row.Index] = row.Result;
                row.Release(_slots);
            }
        }

        _active.RemoveRange(kept, _active.Count - kept);
    }
}
