using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>A sequence while it is decoded.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class DecodingRow
{
    // Long enough that a context has few ranges, short enough that a response of a few words takes little.
    private const int ExtentLength = 64;

    private readonly PrefixNode _promptEnd;
    private readonly List<SlotRange> _context = [];
    private readonly List<SlotRange> _extents = [];
    private readonly List<int> _tokens = [];
    private readonly List<float>? _logProbabilities;
    private readonly SeenTokens? _seen;
    private readonly int _cachedPromptTokens;
    private readonly int _maxTokens;
    private SlotRange _extent;

    /// <summary>Creates a row whose prompt is computed.</summary>
    public DecodingRow(int index, DecodingRequest request, PrefixNode promptEnd, int contextLength, int cachedPromptTokens)
    {
        (Index, Request, _promptEnd, _cachedPromptTokens) = (index, request, promptEnd, cachedPromptTokens);
        _maxTokens = Math.Min(request.Options.MaxTokens, contextLength - request.Prompt.Length);
        _logProbabilities = request.IncludeLogProbabilities ? [] : null;
        if (request.Options.RepetitionPenalty != 1)
        {
            _seen = new SeenTokens();
            _seen.AddRange(request.Prompt);
        }

        for (PrefixNode? node = promptEnd; node is not null; node = node.Parent)
        {
            _context.Add(node.Slots!.Value);
        }

        _context.Reverse();
    }

    public int Index { get; }

    public DecodingRequest Request { get; }

    public int TokenCount => _tokens.Count;

    public ReadOnlySpan<int> SeenIds => _seen is null ? [] : _seen.Ids;

    /// <summary>Gets why the response ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    public DecodedSequence Result => new(_tokens, _logProbabilities, FinishReason!.Value, _cachedPromptTokens);

    /// <summary>Takes in the token that was drawn.</summary>
    public void Accept(int token, float logProbability, ReadOnlySpan<int> endTokens)
    {
        _tokens.Add(token);
        _logProbabilities?.Add(logProbability);
        _seen?.Add(token);
        if (endTokens.Contains(token) || (Request.OnToken?.Invoke(token) ?? false))
        {
            FinishReason = Aries.FinishReason.Stop;
        }
        else if (_tokens.Count == _maxTokens)
        {
            FinishReason = Aries.FinishReason.Length;
        }
    }

    /// <summary>Appends the newest token to a batch as one row.</summary>
    public void AddTo(RowBatch batch, SlotAllocator slots)
    {
        int token = _tokens[^1];
        if (_extent.Count == 0)
        {
            SlotRange extent = slots.Take(Math.Min(ExtentLength, _maxTokens - _tokens.Count));
            _extents.Add(extent);
            _extent = extent;
        }

        int slot = _extent.Start;
        batch.AddSegment([token], slot, CollectionsMarshal.AsSpan(_context));
        _extent = new SlotRange(slot + 1, _extent.Count - 1);
        SlotRange last = _context[^1];
        if (last.Start + last.Count == slot)
        {
            _context[^1] = last with { Count = last.Count + 1 };
        }
        else
        {
            _context.Add(new SlotRange(slot, 1));
        }
    }

    /// <summary>Gives the row's slots back, and those of prompt nodes that nobody else needs.</summary>
    public void Release(SlotAllocator slots)
    {
        _extents.ForEach(slots.Return);
        _extents.Clear();
        for (PrefixNode? node = _promptEnd; node is not null; node = node.Parent)
        {
            if (--node.UserCount == 0)
            {
                slots.Return(node.Slots!.Value);
                (node.Slots, node.LastHidden) = (null, null);
            }
        }
    }
}
