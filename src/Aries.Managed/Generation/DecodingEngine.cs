namespace Aries.Managed;

/// <summary>Decodes batches of prompts: each shared prefix is computed once, a finished row leaves the batch at once and the next prompt takes its place.</summary>
/// <remarks>
/// A row's tokens depend on its prompt, its options and its seed: not on the rest of the batch, on what is cached or drafted, on the chunks of the prefill, or on the number of
/// threads, because the network's rows do not and because each token is drawn from the request's own counter-based stream.
/// </remarks>
/// <threadsafety>Not thread-safe: it keeps its buffers from one run to the next.</threadsafety>
internal sealed class DecodingEngine
{
    // Logits of so many floats at once (16 MiB): a large vocabulary is done a few rows at a time.
    private const int LogitsLimit = 1 << 22;

    private readonly Transformer _transformer;
    private readonly int _maxRows;
    private readonly int _passRows;
    private readonly KeyValueStore _store;
    private readonly PromptCache _prompts;
    private readonly PromptPrefill _prefill;
    private readonly RowBatch _batch = new();
    private readonly TokenSampler[] _samplers;
    private readonly int[] _endTokens;
    private readonly Stack<DecodingRow> _unused = [];
    private readonly List<DecodingRow> _active = [];
    private readonly List<DecodingRow> _admitted = [];
    private DecodingCounts _counts;
    private float[] _fresh = [];
    private float[] _logits = [];

    /// <summary>Creates an engine.</summary>
    /// <param name="transformer">The network; used by this engine alone while a run lasts.</param>
    /// <param name="maxRows">How many sequences are decoded at once.</param>
    /// <param name="prefillRows">How many prompt tokens a pass computes at most.</param>
    /// <param name="cacheBytes">How much memory the keys and values of earlier sequences may take.</param>
    public DecodingEngine(Transformer transformer, int maxRows, int prefillRows, long cacheBytes = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(prefillRows, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(cacheBytes);
        (_transformer, _maxRows) = (transformer, maxRows);
        _store = new KeyValueStore(transformer.Config);
        _prompts = new PromptCache((int)Math.Min(cacheBytes / (2L * sizeof(float) * _store.Width * transformer.Config.LayerCount), int.MaxValue / 2));
        _prefill = new PromptPrefill(transformer, _store, _prompts, prefillRows);
        _passRows = RepetitionGuess.PassRows(BytesPerWeight(transformer.Weights.Head.Packed?.Storage ?? WeightStorage.Float32));
        _endTokens = [.. transformer.Config.EndTokenIds];
        _samplers = [.. Enumerable.Range(0, transformer.Pool.ThreadCount).Select(_ => new TokenSampler())];
    }

    /// <summary>Gets what was done since the engine was made.</summary>
    public DecodingCounts Counts => _counts with { PromptTokens = _prefill.TokenCount };

    /// <summary>Gets the number of tokens that the store has slots for.</summary>
    public int SlotCount => _store.SlotCount;

    /// <summary>Gets the number of tokens that are kept for later runs.</summary>
    public int CachedTokenCount => _prompts.IdleTokenCount;

    /// <summary>Gets the number of slots that hold something.</summary>
    public int UsedSlotCount => _prompts.Slots.InUse;

    /// <summary>Decodes some prompts.</summary>
    /// <param name="requests">The prompts; none empty, none as long as the context.</param>
    /// <param name="cancellationToken">Looked at before every layer.</param>
    /// <returns>One sequence a request, in order.</returns>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public DecodedSequence[] Run(IReadOnlyList<DecodingRequest> requests, CancellationToken cancellationToken)
    {
        DecodedSequence[] results = new DecodedSequence[requests.Count];
        PrefixNode?[] promptEnds = new PrefixNode?[requests.Count];
        bool isDamaged = false;
        try
        {
            for (int i = 0; i < promptEnds.Length; i++)
            {
                promptEnds[i] = _prompts.Use(requests[i].Prompt);
            }

            Decode(requests, promptEnds!, results, cancellationToken);
            return results;
        }
        catch (NonFiniteLogitsException)
        {
            isDamaged = true;
            throw;
        }
        finally
        {
            // Nothing is left here of a run that ended well.
            Abandon(_admitted);
            Abandon(_active);
            foreach (PrefixNode? promptEnd in promptEnds)
            {
                if (promptEnd is not null)
                {
                    _prompts.Release(promptEnd);
                }
            }

            if (isDamaged)
            {
                _prompts.Clear();
            }
        }
    }

    private void Decode(IReadOnlyList<DecodingRequest> requests, PrefixNode?[] promptEnds, DecodedSequence[] results, CancellationToken cancellationToken)
    {
        int[] order = NeighboursFirst(requests);
        int next = 0;
        while (next < order.Length || _active.Count > 0)
        {
            if (next < order.Length && _active.Count < _maxRows)
            {
                int count = Math.Min(_maxRows - _active.Count, order.Length - next);
                Admit(requests, promptEnds, order.AsSpan(next, count), cancellationToken);
                next += count;
                Predict(Fresh(promptEnds), _admitted, cancellationToken);
                _active.AddRange(_admitted);
                _admitted.Clear();
            }
            else
            {
                Predict(Step(cancellationToken), _active, cancellationToken);
            }

            Retire(promptEnds, results);
        }
    }

    private static int BytesPerWeight(WeightStorage storage) => storage switch
    {
        WeightStorage.Float32 => sizeof(float),
        WeightStorage.BFloat16 => sizeof(ushort),
        _ => sizeof(sbyte),
    };

    // The order in which neighbours share most, so that those that are admitted together do.
    private static int[] NeighboursFirst(IReadOnlyList<DecodingRequest> requests)
    {
        int[] order = [.. Enumerable.Range(0, requests.Count)];
        order.AsSpan().Sort((left, right) =>
        {
            int comparison = requests[left].Prompt.AsSpan().SequenceCompareTo(requests[right].Prompt);
            return comparison != 0 ? comparison : left.CompareTo(right);
        });
        return order;
    }

    // Computes what is missing of the prompts of some requests, and begins their rows.
    private void Admit(IReadOnlyList<DecodingRequest> requests, PrefixNode?[] promptEnds, ReadOnlySpan<int> indices, CancellationToken cancellationToken)
    {
        PrefixNode[] ends = new PrefixNode[indices.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            ends[i] = promptEnds[indices[i]]!;
        }

        int[] computed = new int[indices.Length];
        _prefill.Compute(ends, computed, cancellationToken);
        for (int i = 0; i < indices.Length; i++)
        {
            DecodingRow row = _unused.TryPop(out DecodingRow? unused) ? unused : new DecodingRow();
            DecodingRequest request = requests[indices[i]];
            row.Begin(indices[i], request, ends[i], _transformer.Config.ContextLength, request.Prompt.Length - computed[i]);
            _admitted.Add(row);
        }
    }

    // The hidden rows that predict the first tokens of the admitted rows. Equal prompts share one, which is kept beside their keys and values.
    private Matrix Fresh(PrefixNode?[] promptEnds)
    {
        int hidden = _transformer.Config.HiddenSize;
        Matrix rows = new(Buffers.Ensure(ref _fresh, _admitted.Count * hidden), _admitted.Count, hidden);
        for (int i = 0; i < _admitted.Count; i++)
        {
            promptEnds[_admitted[i].Index]!.LastHidden.CopyTo(rows.Row(i));
        }

        return rows;
    }

    // The hidden rows of the newest tokens and their drafts, row after row.
    private Matrix Step(CancellationToken cancellationToken)
    {
        _batch.Clear();
        foreach (DecodingRow row in _active)
        {
            row.AddTo(_batch, _prompts.Slots, _active.Count, _passRows);
        }

        _store.EnsureSlots(_prompts.Slots.Limit);
        _counts = _counts with
        {
            Passes = _counts.Passes + 1,
            Rows = _counts.Rows + _batch.RowCount,
            DraftedTokens = _counts.DraftedTokens + _batch.RowCount - _active.Count,
        };
        return _transformer.Forward(_batch, _store, tape: null, cancellationToken);
    }

    private void Predict(Matrix hidden, List<DecodingRow> rows, CancellationToken cancellationToken)
    {
        int vocabulary = _transformer.Config.VocabularySize;
        for (int first = 0, hiddenStart = 0; first < rows.Count;)
        {
            int end = first;
            int count = 0;
            while (end < rows.Count && (end == first || (long)(count + rows[end].RowCount) * vocabulary <= LogitsLimit))
            {
                rows[end].LogitsStart = count;
                count += rows[end++].RowCount;
            }

            cancellationToken.ThrowIfCancellationRequested();
            Matrix logits = new(Buffers.Ensure(ref _logits, count * vocabulary), count, vocabulary);
            MatrixProduct.Project(hidden.RowRange(hiddenStart, count), _transformer.Weights.Head, logits, accumulate: false, _transformer.Pool);
            Draw(logits, rows, first, end);
            (first, hiddenStart) = (end, hiddenStart + count);
        }
    }

    private void Draw(Matrix logits, List<DecodingRow> rows, int first, int end)
    {
        int lanes = Math.Min(end - first, _samplers.Length);
        _transformer.Pool.Run(lanes, (engine: this, logits, rows, first, end, lanes), static (state, lane) =>
        {
            for (int i = state.first + lane; i < state.end; i += state.lanes)
            {
                state.rows[i].Draw(state.engine._samplers[lane], state.logits, state.engine._endTokens);
            }
        });

        long accepted = 0;
        for (int i = first; i < end; i++)
        {
            accepted += rows[i].AcceptedCount;
            rows[i].Tell(_endTokens);
        }

        _counts = _counts with { AcceptedTokens = _counts.AcceptedTokens + accepted };
    }

    private void Retire(PrefixNode?[] promptEnds, DecodedSequence[] results)
    {
        int kept = 0;
        for (int i = 0; i < _active.Count; i++)
        {
            DecodingRow row = _active[i];
            if (row.FinishReason is null)
            {
                _active[kept++] = row;
                continue;
            }

            results[row.Index] = row.Result;
            _prompts.Release(row.Finish(_prompts));
            promptEnds[row.Index] = null;
            _unused.Push(row);
        }

        _active.RemoveRange(kept, _active.Count - kept);
    }

    private void Abandon(List<DecodingRow> rows)
    {
        foreach (DecodingRow row in rows)
        {
            row.Abandon(_prompts.Slots);
            _unused.Push(row);
        }

        rows.Clear();
    }
}
