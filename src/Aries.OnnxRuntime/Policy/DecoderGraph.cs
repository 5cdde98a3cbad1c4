using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Aries.OnnxRuntime;

/// <summary>A decoder's graph with the cache that it works on: takes the next tokens of some sequences, gives their logits.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class DecoderGraph : IDisposable
{
    private const string PositionIds = "position_ids";

    private readonly GenAIConfig _config;
    private readonly GraphSession _session;
    private readonly AdapterInputs? _adapter;
    private readonly TensorElementType _cacheType;
    private readonly TensorElementType _logitsType;
    private readonly bool _takesPositions;
    private readonly bool _takesLogitsStart;
    private readonly long[] _logitsStart = [0];
    private KeyValueCache? _cache;
    private OrtIoBinding? _binding;
    private OrtValue[] _views = [];
    private (int First, int Count) _bound;
    private long[] _tokens = [];
    private long[] _mask = [];
    private long[] _positions = [];
    private float[] _logits = [];
    private Float16[] _halfLogits = [];

    private DecoderGraph(string folder, GenAIConfig config, GraphSession session, AdapterInputs? adapter)
    {
        (_config, _session, _adapter) = (config, session, adapter);
        Check(folder, session.Session.InputMetadata, [config.InputIds, config.AttentionMask, GenAIConfig.OfLayer(config.PastKey, 0), GenAIConfig.OfLayer(config.PastValue, config.LayerCount - 1)]);
        Check(folder, session.Session.OutputMetadata, [config.Logits, GenAIConfig.OfLayer(config.PresentKey, 0), GenAIConfig.OfLayer(config.PresentValue, config.LayerCount - 1)]);
        _cacheType = session.Session.InputMetadata[GenAIConfig.OfLayer(config.PastKey, 0)].ElementDataType;
        _logitsType = session.Session.OutputMetadata[config.Logits].ElementDataType;
        _takesPositions = session.Session.InputMetadata.ContainsKey(PositionIds);
        _takesLogitsStart = session.Session.OverridableInitializerMetadata.ContainsKey(GenAIModelWriter.LogitsStart);
        GivesLastLogitsAlone = !_takesLogitsStart && session.Session.OutputMetadata[config.Logits].Dimensions is [_, 1, _];
        if (_logitsType is not (TensorElementType.Float or TensorElementType.Float16))
        {
            throw new ModelFormatException(folder, $"the logits are of the type {_logitsType}.", "Write the model again: GenAIModelWriter's models give float32 logits.");
        }
    }

    /// <summary>Gets the number of token ids: the width of a row of logits.</summary>
    public int VocabularySize => _config.VocabularySize;

    /// <summary>Gets whether a run computes the logits of its last token alone, however many are wanted: graphs of others are cut so.</summary>
    public bool GivesLastLogitsAlone { get; }

    /// <summary>Gets the cache that the next run works on.</summary>
    public KeyValueCache Cache => _cache ?? throw new InvalidOperationException("EnsureCache was not called.");

    /// <summary>Loads a graph and an adapter for it.</summary>
    /// <exception cref="ModelFormatException">A file is missing or damaged, or two of them do not belong together.</exception>
    /// <exception cref="InferenceFailedException">ONNX Runtime's native libraries are missing.</exception>
    public static DecoderGraph Load(string folder, GenAIConfig config, string? adapterPath, int? threadCount)
    {
        GraphSession session = GraphSession.Load(folder, config.GraphFile, threadCount);
        AdapterInputs? adapter = null;
        try
        {
            adapter = adapterPath is null ? null : AdapterInputs.Load(adapterPath, session.Session, folder, config.LayerCount);
            return new DecoderGraph(folder, config, session, adapter);
        }
        catch
        {
            adapter?.Dispose();
            session.Dispose();
            throw;
        }
    }

    /// <summary>Makes room for some sequences of some length.</summary>
    /// <param name="slotCount">How many sequences.</param>
    /// <param name="length">The longest, in tokens.</param>
    /// <param name="kept">How many tokens of each slot that there is are kept where the cache must be made anew.</param>
    public void EnsureCache(int slotCount, int length, IReadOnlyList<int> kept)
    {
        if (_cache is not null && _cache.SlotCount >= slotCount && _cache.Length >= length)
        {
            return;
        }

        KeyValueCache? larger = null;
        if (_cache is not null && kept.Any(count => count > 0))
        {
            // Memory holds both for a moment; where it cannot, what was kept is still there.
            larger = new KeyValueCache(_config, _cacheType, Math.Max(slotCount, _cache.SlotCount), Math.Max(length, _cache.Length));
            larger.CopyFrom(_cache, kept);
        }

        Unbind();
        _cache?.Dispose();
        _cache = null;
        _cache = larger ?? new KeyValueCache(_config, _cacheType, slotCount, length);
    }

    /// <summary>Computes the next tokens of neighbouring slots.</summary>
    /// <param name="firstSlot">The slot of the first sequence.</param>
    /// <param name="tokens">As many new tokens of each sequence. Shape [B, S]; S above 1 only where B is 1.</param>
    /// <param name="lengths">How many tokens of each sequence there are then, the new ones included. Shape [B].</param>
    /// <param name="wanted">Of how many of the last new tokens the logits are wanted: W, from 1 to S; 1 where <see cref="GivesLastLogitsAlone"/>.</param>
    /// <param name="cancellationToken">Ends the run within it.</param>
    /// <returns>The logits. Shape [B, W, V]; valid until the next call.</returns>
    public ReadOnlySpan<float> Run(int firstSlot, scoped ReadOnlySpan<int> tokens, scoped ReadOnlySpan<int> lengths, int wanted, CancellationToken cancellationToken)
    {
        int count = lengths.Length;
        int width = tokens.Length / count;
        int computed = _takesLogitsStart || GivesLastLogitsAlone ? wanted : width;
        int longest = TensorPrimitives.Max(lengths);
        OrtIoBinding binding = Bind(firstSlot, count);
        Fill(tokens, lengths, width, longest);
        using OrtValue tokenValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _tokens.AsMemory(0, tokens.Length), [count, width]);
        using OrtValue maskValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _mask.AsMemory(0, count * longest), [count, longest]);
        using OrtValue positionValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _positions.AsMemory(0, tokens.Length), [count, width]);
        binding.BindInput(_config.InputIds, tokenValue);
        binding.BindInput(_config.AttentionMask, maskValue);
        if (_takesPositions)
        {
            binding.BindInput(PositionIds, positionValue);
        }

        _logitsStart[0] = width - wanted;
        using OrtValue startValue = OrtValue.CreateTensorValueFromMemory(_logitsStart, [1]);
        if (_takesLogitsStart)
        {
            binding.BindInput(GenAIModelWriter.LogitsStart, startValue);
        }

        int size = checked(count * computed * VocabularySize);
        if (_logits.Length < size)
        {
            _logits = new float[size];
        }

        using OrtValue logits = LogitsValue(size, [count, computed, VocabularySize]);
        binding.BindOutput(_config.Logits, logits);
        _session.Run(binding, cancellationToken);
        if (_logitsType == TensorElementType.Float16)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<Float16, Half>(_halfLogits.AsSpan(0, size)), _logits);
        }

        // Rows before those wanted are there with a graph of others alone, and then of one sequence: several are given one token each.
        return _logits.AsSpan(0, size)[^(count * wanted * VocabularySize)..];
    }

    public void Dispose()
    {
        Unbind();
        _cache?.Dispose();
        _cache = null;
        _adapter?.Dispose();
        _session.Dispose();
    }

    private static void Check(string folder, IReadOnlyDictionary<string, NodeMetadata> known, string[] names)
    {
        string? missing = names.FirstOrDefault(name => !known.ContainsKey(name));
        if (missing is not null)
        {
            throw new ModelFormatException(
                folder, $"the graph has no '{missing}', which {GenAIConfig.FileName} names; it has {string.Join(", ", known.Keys.Take(8))}.", "The two do not belong together: write or download the folder again.");
        }
    }

    private void Fill(scoped ReadOnlySpan<int> tokens, scoped ReadOnlySpan<int> lengths, int width, int longest)
    {
        if (_tokens.Length < tokens.Length)
        {
            (_tokens, _positions) = (new long[tokens.Length], new long[tokens.Length]);
        }

        if (_mask.Length < lengths.Length * longest)
        {
            _mask = new long[2 * lengths.Length * longest];
        }

        for (int index = 0; index < tokens.Length; index++)
        {
            _tokens[index] = tokens[index];
            _positions[index] = lengths[index / width] - width + (index % width);
        }

        for (int row = 0; row < lengths.Length; row++)
        {
            _mask.AsSpan(row * longest, lengths[row]).Fill(1);
            _mask.AsSpan((row * longest) + lengths[row], longest - lengths[row]).Clear();
        }
    }

    private OrtValue LogitsValue(int size, long[] shape)
    {
        if (_logitsType == TensorElementType.Float)
        {
            return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _logits.AsMemory(0, size), shape);
        }

        if (_halfLogits.Length < size)
        {
            _halfLogits = new Float16[size];
        }

        return OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _halfLogits.AsMemory(0, size), shape);
    }

    // The cache's bindings stay from step to step while the batch is the same slots.
    private OrtIoBinding Bind(int firstSlot, int count)
    {
        if (_binding is not null && _bound == (firstSlot, count))
        {
            return _binding;
        }

        Unbind();
        _binding = _session.Session.CreateIoBinding();
        _bound = (firstSlot, count);
        _views = Cache.View(firstSlot, count);
        for (int layer = 0; layer < _config.LayerCount; layer++)
        {
            _binding.BindInput(GenAIConfig.OfLayer(_config.PastKey, layer), _views[2 * layer]);
            _binding.BindInput(GenAIConfig.OfLayer(_config.PastValue, layer), _views[(2 * layer) + 1]);
            _binding.BindOutput(GenAIConfig.OfLayer(_config.PresentKey, layer), _views[2 * layer]);
            _binding.BindOutput(GenAIConfig.OfLayer(_config.PresentValue, layer), _views[(2 * layer) + 1]);
        }

        foreach ((string name, OrtValue value) in _adapter?.Inputs ?? [])
        {
            _binding.BindInput(name, value);
        }

        return _binding;
    }

    private void Unbind()
    {
        _binding?.Dispose();
        _binding = null;
        foreach (OrtValue view in _views)
        {
            view.Dispose();
        }

        _views = [];
    }
}
