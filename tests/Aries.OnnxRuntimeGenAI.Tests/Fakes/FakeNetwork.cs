using Aries.Managed;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>What a fake model computes with: the managed engine's network, so that its texts can be compared to the last token.</summary>
internal sealed class FakeNetwork
{
    private readonly WorkerPool _pool = new(1);
    private readonly LoadedModel _model;
    private readonly Transformer _transformer;

    private FakeNetwork(LoadedModel model, LoraWeights? adapter)
    {
        _model = model;
        _transformer = new Transformer(model.Config, model.Weights, adapter, _pool);
    }

    public FakeNetwork(string source)
        : this(LoadedModel.Load(source), adapter: null)
    {
    }

    public int VocabularySize => _model.Config.VocabularySize;

    /// <summary>Returns a network of the same weights, which may compute at the same time.</summary>
    public FakeNetwork Another() => new(_model, adapter: null);

    /// <summary>Puts an adapter's matrices, as a graph takes them, onto the network.</summary>
    public FakeNetwork With(FakeAdapterFile file)
    {
        int rank = file.Rank;
        LoraWeights adapter = LoraWeights.Allocate(_model.Weights, new LoraOptions { Rank = rank, Alpha = rank, Targets = file.Targets });
        foreach (Parameter parameter in adapter.Parameters())
        {
            // The graph multiplies from the right.
            (float[] values, int columns) = file.Matrix(parameter.Name);
            for (int index = 0; index < values.Length; index++)
            {
                parameter.Values[(index % columns * parameter.Columns) + (index / columns)] = values[index];
            }
        }

        return new FakeNetwork(_model, adapter.Pack());
    }

    public KeyValueStore CreateStore() => new(_model.Config);

    /// <summary>Computes the logits of tokens that follow others. Shape [tokens, V].</summary>
    public float[] Forward(ReadOnlySpan<int> tokens, KeyValueStore store, int pastLength)
    {
        RowBatch batch = new();
        ReadOnlySpan<SlotRange> context = pastLength > 0 ? [new SlotRange(0, pastLength)] : [];
        batch.AddSegment(tokens, pastLength, context);
        store.EnsureSlots(pastLength + tokens.Length);
        Matrix hidden = _transformer.Forward(batch, store, tape: null);
        float[] logits = new float[tokens.Length * VocabularySize];
        MatrixProduct.Project(hidden, _model.Weights.Head, new Matrix(logits, tokens.Length, VocabularySize), accumulate: false, _pool);
        return logits;
    }
}
