using Aries.Managed;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>A generator, with what was measured of the native one: what it refuses, when its logits are whose, and what of it would end the process.</summary>
internal sealed class FakeGenerator : FakeObject
{
    private readonly FakeLibrary _library;
    private readonly FakeModel _model;
    private readonly int _batchSize;
    private readonly int _maxLength;
    private readonly int _chunkSize;
    private readonly List<int>[] _tokens;
    private readonly KeyValueStore[] _stores;
    private readonly bool[] _isEnded;
    private FakeNetwork _network;
    private float[][] _output = [];
    private float[][] _scores = [];
    private bool _isComputed;
    private bool _isRewound;
    private bool _isChanged;
    private bool _hasAdapter;
    private volatile bool _isTerminated;

    public FakeGenerator(FakeLibrary library, FakeModel model, FakeParams parameters)
    {
        (_library, _model, _network) = (library, model, model.Network);
        (_batchSize, _maxLength, _chunkSize) = ((int)parameters["batch_size"], (int)parameters["max_length"], (int)model.Search("chunk_size", 0));
        if (!parameters.Values.ContainsKey("max_length set"))
        {
            library.Violate("A generator was made without max_length: its keys and values would take the whole context.");
        }

        foreach ((string name, double neutral) in (ReadOnlySpan<(string, double)>)[("do_sample", 0), ("repetition_penalty", 1), ("min_length", 0), ("no_repeat_ngram_size", 0), ("num_beams", 1)])
        {
            if (parameters[name] != neutral)
            {
                library.Violate($"A generator was made with {name} = {parameters[name]}, which changes what is drawn.");
            }
        }

        if (_batchSize is < 1 or > 32)
        {
            throw new FakeNativeException($"batch_size ({_batchSize}) must be in [1, 32]");
        }

        if (_maxLength > model.ContextLength)
        {
            throw new FakeNativeException($"max_length ({_maxLength}) cannot be greater than model context_length ({model.ContextLength})");
        }

        if (library.MemoryTokens is { } memory && (long)_batchSize * _maxLength > memory)
        {
            throw new FakeNativeException("CUDA failure 2: out of memory ; GPU=0 ; hostname=fake ; file=allocator.cc ; expr=cudaMalloc((void**)&p, size);");
        }

        _tokens = [.. Enumerable.Range(0, _batchSize).Select(_ => new List<int>())];
        _stores = [.. Enumerable.Range(0, _batchSize).Select(_ => _network.CreateStore())];
        _isEnded = new bool[_batchSize];
    }

    public int BatchSize => _batchSize;

    public int VocabularySize => _network.VocabularySize;

    private int Length => _tokens[0].Count;

    public void Activate(FakeAdapterFile file)
    {
        if (_hasAdapter || Length > 0)
        {
            _library.Violate(_hasAdapter ? "A second adapter was added to the first." : "An adapter was set active behind tokens that were computed without it.");
        }

        if (AdapterSlot.Find(GraphInputReader.Read(Path.Combine(_model.Path, "model.onnx")), _model.Path).Count == 0)
        {
            _library.Violate("An adapter was set active on a graph without inputs for it: the process would end.");
        }

        (_network, _hasAdapter) = (_network.With(file), true);
    }

    public void Append(int[][] rows)
    {
        ThrowIfTerminated();
        int longest = rows.Max(row => row.Length);
        if (longest == 0)
        {
            throw new FakeNativeException("input_ids is empty");
        }

        if (longest + Length > _maxLength)
        {
            throw new FakeNativeException($"input_ids size ({longest}) + current sequence length ({Length}) exceeds max length ({_maxLength})");
        }

        if (Length > 0 && _batchSize > 1)
        {
            throw new FakeNativeException("AppendTokens can only be called once for batch_size > 1. To call AppendTokens again, use RewindToLength(0)");
        }

        if (Length > 0 && !FakeLibrary.ContinuesOn(_model.Device))
        {
            throw new FakeNativeException($"Continuous decoding is not supported on the selected device type ({_model.Device}).");
        }

        _library.CountPass(rows.Sum(row => row.Length));
        _library.OnPass?.Invoke();
        if (rows.SelectMany(row => row).Any(token => token < 0 || token >= _network.VocabularySize))
        {
            throw new FakeNativeException("Gather: indices element out of data bounds");
        }

        // Ragged rows are padded on the right; what counts as a token is what is no padding.
        Compute([.. rows.Select(row => (int[])[.. row, .. Enumerable.Repeat(_model.PadTokenId, longest - row.Length)])], longest);
        (_isRewound, _isChanged) = (false, false);
        Array.Clear(_isEnded);
    }

    public void Rewind(int length)
    {
        if (!_library.CanRewind)
        {
            throw new FakeNativeException($"RewindTo is currently not supported for {_model.Root["model"]!["type"]}.");
        }

        if (length > Length)
        {
            throw new FakeNativeException("Cannot rewind to a length greater than the current sequence length");
        }

        if (_batchSize > 1 && length != 0)
        {
            throw new FakeNativeException("RewindToLength must be called with new_length=0 when batch_size > 1");
        }

        if (length < Length)
        {
            (_isComputed, _isRewound) = (false, true);
            foreach (List<int> tokens in _tokens)
            {
                tokens.RemoveRange(length, tokens.Count - length);
            }
        }
    }

    public float[][] Logits()
    {
        if (!_isComputed)
        {
            ThrowIfTerminated();
            Step();
        }

        return _scores;
    }

    /// <summary>Returns the logits of the last pass. After a token was chosen they are, for a float32 graph, what the search has made of them.</summary>
    public float[][] Output()
    {
        if (_isChanged && !_library.IsHalf)
        {
            return [.. _output.Select(row => (float[])[.. row.Select(value => value - 1)])];
        }

        return _output;
    }

    public void SetLogits(float[][] scores)
    {
        if (!_isComputed)
        {
            throw new FakeNativeException("logits are not computed yet. Please call GenerateNextToken or AppendTokens before calling SetLogits.");
        }

        _scores = scores;
    }

    public void GenerateNextToken()
    {
        ThrowIfTerminated();
        if (Length >= _maxLength)
        {
            throw new FakeNativeException($"GenerateNextToken called with sequence length already at max_length ({_maxLength})");
        }

        if (Length == 0)
        {
            throw new FakeNativeException("GenerateNextToken called with no prior state.");
        }

        _ = Logits();
        for (int row = 0; row < _batchSize; row++)
        {
            int token = _isEnded[row] ? _model.PadTokenId : Array.IndexOf(_scores[row], _scores[row].Max());
            _isEnded[row] |= _model.EndTokenIds.Contains(token);
            _tokens[row].Add(token);
        }

        (_isComputed, _isChanged) = (false, true);
    }

    public void Terminate(bool isTerminated) => _isTerminated = isTerminated;

    private void Step()
    {
        if (_isRewound)
        {
            _library.Violate("Logits were read behind a rewind, where none are computed.");
        }

        _library.CountPass(_batchSize);
        _library.OnPass?.Invoke();
        int[][] last = [.. _tokens.Select(tokens => new[] { tokens[^1] })];
        foreach (List<int> tokens in _tokens)
        {
            tokens.RemoveAt(tokens.Count - 1);
        }

        Compute(last, 1);
        _isChanged = false;
    }

    private void Compute(int[][] rows, int count)
    {
        int vocabulary = _network.VocabularySize;
        float[][] output = new float[_batchSize][];
        float[][] scores = new float[_batchSize][];
        for (int row = 0; row < _batchSize; row++)
        {
            // −1 reads the last row of the embedding; a mask keeps padding out of what follows it.
            int[] real = [.. rows[row].Where(token => token != _model.PadTokenId || _model.PadTokenId >= 0).Select(token => token < 0 ? vocabulary - 1 : token)];
            int past = _tokens[row].Count(token => token >= 0);
            float[] logits = real.Length == 0 ? new float[vocabulary] : _network.Forward(real, _stores[row], past);
            if (_library.IsHalf)
            {
                logits = [.. logits.Select(value => (float)(Half)value)];
            }

            // The native library takes the last token that is no padding, and padding is what pad_token_id says.
            int lastIndex = Array.FindLastIndex(rows[row], token => token != _model.PadTokenId);
            if (lastIndex < 0)
            {
                _library.Violate("A row is nothing but padding: its logits would be read in front of the row.");
                lastIndex = 0;
            }

            scores[row] = logits[(lastIndex * vocabulary)..((lastIndex + 1) * vocabulary)];
            Array.Resize(ref logits, count * vocabulary);
            output[row] = _library.PrunesHead ? scores[row]
                : _chunkSize > 0 && count > _chunkSize ? logits[((count - 1) / _chunkSize * _chunkSize * vocabulary)..]
                : logits;
            _tokens[row].AddRange(rows[row]);
        }

        if (_isTerminated)
        {
            throw new FakeNativeException("Exiting due to terminate flag being set to true.");
        }

        (_output, _scores, _isComputed) = (output, scores, true);
    }

    private void ThrowIfTerminated()
    {
        if (_isTerminated)
        {
            throw new FakeNativeException("Session in Terminated state, exiting!");
        }
    }
}
