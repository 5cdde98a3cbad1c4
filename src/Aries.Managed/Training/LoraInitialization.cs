namespace Aries.Managed;

/// <summary>Makes new adapters.</summary>
internal static class LoraInitialization
{
    /// <summary>Makes an adapter that changes nothing yet: A uniform in ±1 ÷ √in, B zero, as PEFT does.</summary>
    public static LoraWeights Create(LlamaWeights model, LoraOptions options, long seed)
    {
        LoraWeights adapter = LoraWeights.Allocate(model, options);
        int index = 0;
        foreach (LoraPair pair in adapter.Layers.SelectMany(layer => layer.Pairs()))
        {
            long stream = SeedStream.Derive(seed, "lora", index++);
            double bound = 1 / Math.Sqrt(pair.A.Columns);
            for (int i = 0; i < pair.A.Values.Length; i++)
            {
                pair.A.Values[i] = (float)(bound * ((2 * SeededDraw.Uniform(stream, i)) - 1));
            }
        }

        return adapter;
    }

    /// <summary>Adds an adapter's update to the weights: W ← W + (alpha ÷ rank)·B·A.</summary>
    public static void Merge(LlamaWeights model, LoraWeights adapter, WorkerPool pool)
    {
        foreach ((LlamaLayerWeights layer, LoraLayerWeights low) in model.Layers.Zip(adapter.Layers))
        {
            void Add(Parameter weight, LoraPair? pair)
            {
                if (pair is null)
                {
                    return;
                }

                Parameter scaled = new(pair.B.Name, pair.B.Rows, pair.B.Columns, [.. pair.B.Values]);
                RowKernels.Scale(scaled.Values, adapter.Scale);
                MatrixProduct.Times(scaled, pair.A, weight, accumulate: true, pool);
            }

            Add(layer.Query, low.Query);
            Add(layer.Key, low.Key);
            Add(layer.Value, low.Value);
            Add(layer.Output, low.Output);
            Add(layer.Gate, low.Gate);
            Add(layer.Up, low.Up);
            Add(layer.Down, low.Down);
        }
    }
}
