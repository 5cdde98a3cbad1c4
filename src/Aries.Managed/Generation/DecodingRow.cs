using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>A sequence while it is decoded.</summary>
/// <remarks>
/// A pass reads the newest token and a draft of what may follow. Tokens are drawn from the rows' logits one after another, exactly as without a draft, for as long as
/// each is the one that the next row has read; what the rows after that computed is dropped. So a draft changes the number of passes and nothing else.
/// </remarks>
/// <threadsafety>Not thread-safe. Begun again for another sequence, it allocates only what is larger than all before.</threadsafety>
internal sealed class DecodingRow
{
    // Long enough that a context has few ranges, short enough that a response of a few words takes little.
    private const int ExtentLength = 64;

    private readonly List<SlotRange> _context = [];
    private readonly List<SlotRange> _extents = [];
    private readonly List<float> _logProbabilities = [];
    private readonly SeenTokens _seen = new();
    private readonly RepetitionGuess _guess = new();

    // What may be repeated, the prompt, the response and the draft, end to end.
    private int[] _tokens = [];
    private int _responseStart;
    private int _end;
    private int _toldEnd;
    private int _draftLength;
    private int _slotCount;
    private int _maxTokens;
    private int _cachedPromptTokens;
    private PrefixNode _promptEnd = null!;

    public int Index { get; private set; }

    public DecodingRequest Request { get; private set; } = null!;

    /// <summary>Gets how many rows of the running pass are this sequence's: the newest token, or the end of its prompt, and the draft.</summary>
    public int RowCount => 1 + _draftLength;

    /// <summary>Gets or sets the first of the sequence's rows among the logits of the running pass.</summary>
    public int LogitsStart { get; set; }

    public int TokenCount => _end - _responseStart;

    /// <summary>Gets how many tokens of the last draft were drawn.</summary>
    public int AcceptedCount { get; private set; }

    /// <summary>Gets why the response ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    public DecodedSequence Result => new(
        _tokens[_responseStart.._end], Request.IncludeLogProbabilities ? [.. _logProbabilities] : null, FinishReason!.Value, _cachedPromptTokens);

    private ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _end);

    /// <summary>Begins a sequence whose prompt is computed.</summary>
    /// <param name="index">The index of its request.</param>
    /// <param name="request">The request.</param>
    /// <param name="promptEnd">The node at which the prompt ends.</param>
    /// <param name="contextLength">The longest prompt and response together.</param>
    /// <param name="cachedPromptTokens">Tokens of the prompt that were not computed for this sequence.</param>
    public void Begin(int index, DecodingRequest request, PrefixNode promptEnd, int contextLength, int cachedPromptTokens)
    {
        (Index, Request, _promptEnd, _cachedPromptTokens) = (index, request, promptEnd, cachedPromptTokens);
        _maxTokens = Math.Min(request.Options.MaxTokens, contextLength - request.Prompt.Length);
        (_end, _slotCount, _draftLength, AcceptedCount, FinishReason) = (0, 0, 0, 0, null);
        _context.Clear();
        _logProbabilities.Clear();
        _seen.Clear();
        promptEnd.AddPathTo(_context);
        if (request.MaxDraftLength > 0)
        {
            Append(request.Prediction);
            _guess.Begin(request.Prediction.Length > 0 ? 0 : null);
        }

        Append(request.Prompt);
        (_responseStart, _toldEnd) = (_end, _end);
        if (request.Options.RepetitionPenalty != 1)
        {
            _seen.AddRange(request.Prompt);
        }
    }

    /// <summary>Appends the newest token, and a draft of what may follow, to a batch.</summary>
    public void AddTo(RowBatch batch, SlotAllocator slots, int activeRows, int passRows)
    {
        // The last token of a response is never read.
        int limit = Math.Min(Request.MaxDraftLength, _maxTokens - TokenCount - 1);
        ReadOnlySpan<int> draft = limit > 0 ? _guess.Guess(Tokens, activeRows, passRows, limit) : [];
        Reserve(draft.Length + 1);
        draft.CopyTo(_tokens.AsSpan(_end));
        _draftLength = draft.Length;
        for (ReadOnlySpan<int> rows = _tokens.AsSpan(_end - 1, RowCount); !rows.IsEmpty;)
        {
            SlotRange free = FreeSlots(slots);
            SlotRange taken = free with { Count = Math.Min(rows.Length, free.Count) };
            batch.AddSegment(rows[..taken.Count], taken.Start, CollectionsMarshal.AsSpan(_context));
            _context.Join(taken);
            _slotCount += taken.Count;
            rows = rows[taken.Count..];
        }
    }

    /// <summary>Draws tokens from the logits of the sequence's rows, until one differs from the draft.</summary>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    public void Draw(TokenSampler sampler, Matrix logits, ReadOnlySpan<int> endTokens)
    {
        int accepted = 0;
        while (true)
        {
            // The drafted token lies where the drawn one goes.
            int drafted = accepted < _draftLength ? _tokens[_end] : -1;
            int token = Draw(sampler, logits.Row(LogitsStart + accepted));
            if (token != drafted || endTokens.Contains(token))
            {
                break;
            }

            accepted++;
        }

        AcceptedCount = accepted;
        _context.CutEnd(_draftLength - accepted);
        _slotCount -= _draftLength - accepted;
        if (Request.MaxDraftLength > 0)
        {
            _guess.Learn(Tokens, accepted + 1);
        }
    }

    /// <summary>Tells what was drawn, up to where the response ends.</summary>
    public void Tell(ReadOnlySpan<int> endTokens)
    {
        while (_toldEnd < _end && FinishReason is null)
        {
            int token = _tokens[_toldEnd++];
            if (endTokens.Contains(token) || (Request.OnToken?.Invoke(token) ?? false))
            {
                FinishReason = Aries.FinishReason.Stop;
            }
            else if (_toldEnd - _responseStart == _maxTokens)
            {
                FinishReason = Aries.FinishReason.Length;
            }
        }

        // What a draft gave beyond the end is no part of the response.
        _end = _toldEnd;
        if (_logProbabilities.Count > TokenCount)
        {
            _logProbabilities.RemoveRange(TokenCount, _logProbabilities.Count - TokenCount);
        }
    }

    /// <summary>Leaves the keys and values of the response, which is over, to the cache.</summary>
    /// <returns>The node to release.</returns>
    public PrefixNode Finish(PromptCache cache) =>
        cache.Extend(_promptEnd, _tokens.AsSpan(_responseStart, Math.Min(_slotCount, TokenCount)), _extents);

    /// <summary>Gives the slots of a response back that was broken off.</summary>
    public void Abandon(SlotAllocator slots)
    {
        _extents.ForEach(slots.Return);
        _extents.Clear();
    }

    private int Draw(TokenSampler sampler, ReadOnlySpan<float> logits)
    {
        float largest = System.Numerics.Tensors.TensorPrimitives.Max(logits);
        if (!float.IsFinite(largest))
        {
            throw new NonFiniteLogitsException(TokenCount, largest);
        }

        int token = sampler.Sample(logits, _seen.Ids, Request.Options, SeededDraw.Uniform(Request.Seed, TokenCount));
        if (Request.IncludeLogProbabilities)
        {
            _logProbabilities.Add(sampler.LogProbability(logits, token));
        }

        if (Request.Options.RepetitionPenalty != 1)
        {
            _seen.Add(token);
        }

        Reserve(1);
        _tokens[_end++] = token;
        return token;
    }

    private SlotRange FreeSlots(SlotAllocator slots)
    {
        (int extent, int used) = Math.DivRem(_slotCount, ExtentLength);
        if (extent == _extents.Count)
        {
            _extents.Add(slots.Take(Math.Min(ExtentLength, _maxTokens - 1 - _slotCount)));
        }

        return new SlotRange(_extents[extent].Start + used, _extents[extent].Count - used);
    }

    private void Append(ReadOnlySpan<int> tokens)
    {
        Reserve(tokens.Length);
        tokens.CopyTo(_tokens.AsSpan(_end));
        _end += tokens.Length;
    }

    private void Reserve(int count)
    {
        if (_end + count > _tokens.Length)
        {
            Array.Resize(ref _tokens, Math.Max(_end + count, 2 * _tokens.Length));
        }
    }
}
