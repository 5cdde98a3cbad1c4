using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>The keys and values of a batch of sequences, and the passes over them.</summary>
/// <remarks>
/// Tokens are drawn on this side. A single sequence is appended to; a batch can be appended to once, and then is told each next token by logits that leave no other choice. What the
/// model gave is read before: after a step, the logits of a float32 model are those that its search has changed.
/// </remarks>
/// <threadsafety>One call at a time, but for <see cref="Terminate"/>.</threadsafety>
internal sealed unsafe class OgaGenerator : IDisposable
{
    private readonly Lock _terminating = new();
    private readonly OgaApi _api;
    private readonly OgaHandle _generator;
    private readonly int _batchSize;
    private readonly int _vocabularySize;

    private OgaHandle? _choice;
    private float* _choiceLogits;

    /// <summary>Creates a generator.</summary>
    /// <param name="model">The model.</param>
    /// <param name="adapter">The adapter that it computes with, or null.</param>
    /// <param name="batchSize">The number of sequences; 1 to 32.</param>
    /// <param name="maxLength">The longest sequence; at most the model's context. Keys and values may be allocated for all of it at once.</param>
    /// <exception cref="OgaException">There is not enough memory, or the model allows no such batch.</exception>
    public OgaGenerator(OgaModel model, OgaAdapter? adapter, int batchSize, int maxLength)
    {
        (_api, _batchSize, _vocabularySize, MaxLength) = (model.Api, batchSize, model.Folder.VocabularySize, maxLength);
        nint pointer;
        _api.Check(_api.CreateGeneratorParams(model.Handle.Pointer, &pointer));
        using OgaHandle parameters = new(pointer, _api.DestroyGeneratorParams, model.Handle);

        // Whatever the folder says of its search: the model's own distribution is wanted, and the most probable of a choice of one.
        Set(parameters, "do_sample"u8, false);
        Set(parameters, "batch_size"u8, batchSize);
        Set(parameters, "max_length"u8, maxLength);
        Set(parameters, "min_length"u8, 0);
        Set(parameters, "num_beams"u8, 1);
        Set(parameters, "num_return_sequences"u8, 1);
        Set(parameters, "repetition_penalty"u8, 1);
        Set(parameters, "no_repeat_ngram_size"u8, 0);
        _api.Check(_api.CreateGenerator(model.Handle.Pointer, parameters.Pointer, &pointer));
        _generator = new OgaHandle(pointer, _api.DestroyGenerator, model.Handle, adapter?.Handle);
        try
        {
            adapter?.Activate(_generator);
        }
        catch
        {
            _generator.Dispose();
            throw;
        }
    }

    /// <summary>Gets the longest sequence.</summary>
    public int MaxLength { get; }

    /// <summary>Gets whether <see cref="Terminate"/> was called: then the generator computes nothing any more.</summary>
    public bool IsTerminated { get; private set; }

    /// <summary>Computes tokens that follow what a single sequence has.</summary>
    /// <param name="tokens">At least one; within <see cref="MaxLength"/>.</param>
    /// <exception cref="OgaException">The pass failed, or the generator is terminated.</exception>
    public void Append(ReadOnlySpan<int> tokens)
    {
        fixed (int* ids = tokens)
        {
            _api.Check(_api.GeneratorAppendTokens(_generator.Pointer, ids, (nuint)tokens.Length));
        }
    }

    /// <summary>Computes the beginnings of all sequences of a batch; once.</summary>
    /// <exception cref="OgaException">The pass failed, or the generator is terminated.</exception>
    public void Append(IEnumerable<int[]> sequences)
    {
        nint pointer;
        _api.Check(_api.CreateSequences(&pointer));
        using OgaHandle all = new(pointer, _api.DestroySequences);
        foreach (int[] sequence in sequences)
        {
            fixed (int* ids = sequence)
            {
                _api.Check(_api.AppendTokenSequence(ids, (nuint)sequence.Length, all.Pointer));
            }
        }

        _api.Check(_api.GeneratorAppendTokenSequences(_generator.Pointer, all.Pointer));
    }

    /// <summary>Takes tokens back from a single sequence; tokens must be appended before logits are read again.</summary>
    /// <param name="length">How many tokens stay.</param>
    /// <exception cref="OgaException">The model cannot.</exception>
    public void RewindTo(int length) => _api.Check(_api.GeneratorRewindTo(_generator.Pointer, (nuint)length));

    /// <summary>Returns the logits that follow each sequence. Shape [B, 1, V]; to be disposed.</summary>
    /// <exception cref="OgaException">The pass failed, or the generator is terminated.</exception>
    public OgaLogits NextLogits()
    {
        nint tensor;
        _api.Check(_api.GeneratorGetLogits(_generator.Pointer, &tensor));
        return new OgaLogits(_api, tensor, _vocabularySize);
    }

    /// <summary>Returns the logits of every token of the last append. Shape [1, tokens, V], or [1, 1, V] where the graph computes its head for the last token alone; to be disposed.</summary>
    /// <exception cref="OgaException">There is no such output.</exception>
    public OgaLogits AppendedLogits(ReadOnlySpan<byte> outputName)
    {
        nint tensor;
        fixed (byte* name = outputName)
        {
            _api.Check(_api.GeneratorGetOutput(_generator.Pointer, name, &tensor));
        }

        return new OgaLogits(_api, tensor, _vocabularySize);
    }

    /// <summary>Gives every sequence its next token. The pass over them is the next call's that reads logits.</summary>
    /// <param name="tokens">A token a sequence; none ends a text of the model.</param>
    /// <exception cref="OgaException">A sequence is as long as it can be, or the generator is terminated.</exception>
    public void Choose(ReadOnlySpan<int> tokens)
    {
        OgaHandle choice = _choice ??= CreateChoice();
        for (int row = 0; row < tokens.Length; row++)
        {
            _choiceLogits[((long)row * _vocabularySize) + tokens[row]] = 1;
        }

        try
        {
            _api.Check(_api.GeneratorSetLogits(_generator.Pointer, choice.Pointer));
            _api.Check(_api.GeneratorGenerateNextToken(_generator.Pointer));
        }
        finally
        {
            for (int row = 0; row < tokens.Length; row++)
            {
                _choiceLogits[((long)row * _vocabularySize) + tokens[row]] = 0;
            }
        }
    }

    /// <summary>Makes the running call, or the next one, fail. May be called while another thread is in a call.</summary>
    public void Terminate()
    {
        lock (_terminating)
        {
            if (!IsTerminated && !_generator.IsClosed)
            {
                IsTerminated = true;
                fixed (byte* key = "terminate_session"u8, value = "1"u8)
                {
                    nint result = _api.GeneratorSetRuntimeOption(_generator.Pointer, key, value);
                    if (result != 0)
                    {
                        // A library that does not know the option finishes its pass; the token is looked at after it.
                        _api.DestroyResult(result);
                    }
                }
            }
        }
    }

    public void Dispose()
    {
        lock (_terminating)
        {
            _generator.Dispose();
            _choice?.Dispose();
            NativeMemory.Free(_choiceLogits);
            _choice = null;
            _choiceLogits = null;
        }
    }

    // The tensor does not copy: it reads what stands here when the logits are set.
    private OgaHandle CreateChoice()
    {
        _choiceLogits = (float*)NativeMemory.AllocZeroed((nuint)_batchSize * (nuint)_vocabularySize, sizeof(float));
        long* shape = stackalloc long[] { _batchSize, 1, _vocabularySize };
        nint tensor;
        _api.Check(_api.CreateTensorFromBuffer(_choiceLogits, shape, 3, OgaLogits.Float32, &tensor));
        return new OgaHandle(tensor, _api.DestroyTensor);
    }

    private void Set(OgaHandle parameters, ReadOnlySpan<byte> name, double value)
    {
        fixed (byte* text = name)
        {
            _api.Check(_api.GeneratorParamsSetSearchNumber(parameters.Pointer, text, value));
        }
    }

    private void Set(OgaHandle parameters, ReadOnlySpan<byte> name, bool value)
    {
        fixed (byte* text = name)
        {
            _api.Check(_api.GeneratorParamsSetSearchBool(parameters.Pointer, text, value ? (byte)1 : (byte)0));
        }
    }
}
