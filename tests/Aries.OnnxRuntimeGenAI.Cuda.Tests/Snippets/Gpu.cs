using Microsoft.Extensions.DependencyInjection;

namespace Aries.OnnxRuntimeGenAI.Cuda.Tests;

/// <summary>Code of docs/backends/onnxruntime-genai-cuda.md, which runs here as far as a machine without a GPU goes.</summary>
public class Gpu
{
    [Fact]
    public void AddCuda_Services_HaveThePolicyAndTheRefiner()
    {
        ServiceCollection services = new();

        AddCuda(services);

        Assert.Single(services, service => service.ServiceType == typeof(IPolicyModel));
        Assert.Single(services, service => service.ServiceType == typeof(SelfRefiner));
    }

    private static void AddCuda(ServiceCollection services)
    {
        #region add-cuda
        services.AddAries()
            .AddOnnxRuntimeGenAICuda("model-folder", options =>
            {
                options.Providers = [GenAIExecutionProvider.Cuda(deviceId: 0, memoryLimit: 20L << 30)];
                options.MaxBatchSize = 8;
            });
        #endregion
    }
}
