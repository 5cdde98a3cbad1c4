using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Aries;

/// <summary>A response while it is decoded.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class DecodedRow
{
    private readonly List<int> _tokens = [];
    private readonly List<float>? _logProbabilities;
    private readonly SeenTokens? _seen;
    private readonly int _maxTokens;
    private readonly long _seed;

    /// <summary>Creates a row.</summary>
    /// <param name="request">The request.</param>
    /// <param name="prompt">Its prompt, encoded.</param>
    /// <param name="seed">The seed of its draws.</param>
    /// <param name="contextLength">The longest prompt and response together.</param>
    /// <param name="assembly">Makes the text.</param>
    public DecodedRow(GenerationRequest request, int[] prompt, long seed, int contextLength, ResponseAssembly assembly)
    {
        (Options, Prompt, _seed, Assembly) = (request.Options, prompt, seed, assembly);
        _maxTokens = Math.Min(request.Options.MaxTokens, contextLength - prompt.Length);
        _logProbabilities = request.IncludeLogProbabilities ? [] : null;
        if (request.Options.RepetitionPenalty != 1)
        {
            _seen = new SeenTokens();
            _seen.AddRange(prompt);
        }
    }

    public SamplingOptions Options { get; }

    public int[] Prompt { get; }

    public ResponseAssembly Assembly { get; }

    /// <summary>Gets or sets how many tokens of the prompt another row had computed.</summary>
    public int CachedPromptTokens { get; set; }

    /// <summary>Gets the newest token: the prompt's last until one is drawn.</summary>
    public int LastToken => _tokens.Count == 0 ? Prompt[^1] : _tokens[^1];

    /// <summary>Gets how many tokens prompt and response have.</summary>
    public int Length => Prompt.Length + _tokens.Count;

    /// <summary>Gets how long the row can get.</summary>
    public int LongestLength => Prompt.Length + _maxTokens;

    /// <summary>Gets why the response ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>Returns the tokens of the response from an index on.</summary>
    public ReadOnlySpan<int> TokensFrom(int index) => CollectionsMarshal.AsSpan(_tokens)[index..];

    /// <summary>Draws the next token.</summary>
    /// <param name="sampler">Draws it.</param>
    /// <param name="logits">Shape [V].</param>
    /// <param name="endTokens">The ids that end a response.</param>
    /// <exception cref="NonFiniteLogitsException">The model gave no distribution.</exception>
    public void Draw(TokenSampler sampler, ReadOnlySpan<float> logits, IReadOnlyList<int> endTokens)
    {
        float largest = TensorPrimitives.Max(logits);
        if (!float.IsFinite(largest))
        {
            throw new NonFiniteLogitsException(_tokens.Count, largest);
        }

        int token = sampler.Sample(logits, _seen is null ? [] : _seen.Ids, Options, SeededDraw.Uniform(_seed, _tokens.Count));
        _logProbabilities?.Add(sampler.LogProbability(logits, token));
        _tokens.Add(token);
        _seen?.Add(token);
        if (endTokens.Contains(token) || Assembly.Append(token))
        {
            FinishReason = Aries.FinishReason.Stop;
        }
        else if (_tokens.Count == _maxTokens)
        {
            FinishReason = Aries.FinishReason.Length;
        }
    }

    /// <summary>Makes the response of a row that ended.</summary>
    public Response Complete()
    {
        bool stopped = Assembly.Complete();
        return new Response
        {
            Text = Assembly.Text,
            FinishReason = stopped ? Aries.FinishReason.Stop : FinishReason!.Value,
            Usage = new TokenUsage(Prompt.Length, _tokens.Count, CachedPromptTokens),
            TokenIds = _tokens,
            TokenLogProbabilities = _logProbabilities,
            LogProbability = _logProbabilities?.Sum(value => (double)value),
        };
    }
}
