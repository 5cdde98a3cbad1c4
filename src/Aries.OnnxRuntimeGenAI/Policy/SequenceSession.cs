using System.Numerics;
using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>One sequence in the native library's memory. The next one takes over what it begins alike: the turns of a chain share their question, its candidates the whole prompt.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class SequenceSession(OgaModel model, OgaAdapter? adapter, int contextLength, int prefillLength) : IDisposable
{
    // Shorter generators are not worth making anew for a sequence a little longer.
    private const int ShortestLength = 256;

    private readonly List<int> _tokens = [];
    private OgaGenerator? _generator;
    private bool _canRewind = true;

    /// <summary>Gets how many tokens are computed.</summary>
    public int Length => _tokens.Count;

    public int PrefillLength => model.IsContinuing ? prefillLength : int.MaxValue;

    private OgaGenerator Generator => _generator ?? throw new InvalidOperationException("No sequence was begun.");

    /// <summary>Begins a sequence.</summary>
    /// <param name="tokens">Its first tokens.</param>
    /// <param name="limit">How many of them may be taken over at most; fewer than there are, since logits can be read after an append only.</param>
    /// <param name="longestLength">How long the sequence can get.</param>
    /// <returns>How many tokens are computed already; the rest is to be appended.</returns>
    public int Begin(ReadOnlySpan<int> tokens, int limit, int longestLength)
    {
        if (model.IsContinuing && _generator is { IsTerminated: false } generator && generator.MaxLength >= longestLength)
        {
            int shared = Math.Min(CollectionsMarshal.AsSpan(_tokens).CommonPrefixLength(tokens), limit);
            if (TryTruncate(shared))
            {
                return shared;
            }
        }

        // A little more room than is needed now, so that the next turns of a chain find place behind this one.
        Renew(model.IsContinuing ? Math.Min(contextLength, (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(longestLength, ShortestLength))) : longestLength);
        return 0;
    }

    /// <summary>Computes tokens in one pass.</summary>
    public void Append(ReadOnlySpan<int> tokens)
    {
        Generator.Append(tokens);
        _tokens.AddRange(tokens);
    }

    /// <summary>Computes tokens in passes of at most <see cref="PrefillLength"/>.</summary>
    public void AppendAll(ReadOnlySpan<int> tokens, CancellationToken cancellationToken)
    {
        while (!tokens.IsEmpty)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(PrefillLength, tokens.Length);
            Append(tokens[..count]);
            tokens = tokens[count..];
        }
    }

    /// <summary>Returns the logits that follow the sequence; read after an append. Shape [1, 1, V].</summary>
    public OgaLogits NextLogits() => Generator.NextLogits();

    /// <summary>Returns the logits of each token of the last append. Shape [1, tokens, V], or [1, 1, V] where the graph computes them for the last token alone.</summary>
    public OgaLogits AppendedLogits() => Generator.AppendedLogits(model.Folder.LogitsName);

    /// <summary>Takes back all tokens but the first ones. Tokens must be appended before logits are read.</summary>
    public void Truncate(int length, CancellationToken cancellationToken)
    {
        if (!TryTruncate(length))
        {
            // A model that cannot go back computes what stays once more.
            int[] kept = [.. _tokens.Take(length)];
            Renew(Generator.MaxLength);
            AppendAll(kept, cancellationToken);
        }
    }

    /// <summary>Makes passes fail when a token is cancelled, until the result is disposed.</summary>
    public CancellationTokenRegistration EndWith(CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(static session => ((SequenceSession)session!)._generator?.Terminate(), this);

    /// <summary>Ends a call: keeps the sequence for the next one, or lets it go.</summary>
    /// <param name="keeps">Whether it may stay.</param>
    public void End(bool keeps)
    {
        if (!keeps || _generator is { IsTerminated: true })
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _generator?.Dispose();
        _generator = null;
        _tokens.Clear();
    }

    private bool TryTruncate(int length)
    {
        if (length < _tokens.Count)
        {
            if (!_canRewind)
            {
                return false;
            }

            try
            {
                Generator.RewindTo(length);
            }
            catch (OgaException) when (!Generator.IsTerminated)
            {
                // Models with a recurrent state: the native library says so when it is asked.
                _canRewind = false;
                return false;
            }

            _tokens.RemoveRange(length, _tokens.Count - length);
        }

        return true;
    }

    private void Renew(int maxLength)
    {
        Dispose();
        _generator = new OgaGenerator(model, adapter, batchSize: 1, maxLength);
    }
}
