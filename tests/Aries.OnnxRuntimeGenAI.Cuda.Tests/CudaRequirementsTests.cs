namespace Aries.OnnxRuntimeGenAI.Cuda.Tests;

public class CudaRequirementsTests
{
    [Theory]
    [InlineData(12)]
    [InlineData(13)]
    public void FindMissing_EverythingThere_IsEmpty(int major)
    {
        FakeMachine machine = FakeMachine.With(major);
        machine.PackageMajor = major;

        Assert.Empty(CudaRequirements.FindMissing(machine, folder: null, deviceId: 0));
    }

    [Fact]
    public void FindMissing_NothingThere_NamesEachThingOnceWithItsFix()
    {
        FakeMachine machine = new();
        machine.Files.Clear();
        machine.Libraries.Clear();

        IReadOnlyList<string> missing = CudaRequirements.FindMissing(machine, folder: null, deviceId: 0);

        Assert.Collection(
            missing,
            natives => Assert.Contains("Microsoft.ML.OnnxRuntimeGenAI.Cuda", natives, StringComparison.Ordinal),
            driver => Assert.Contains(CudaLibraryNames.Driver, driver, StringComparison.Ordinal),
            cuda => Assert.Contains(CudaLibraryNames.Blas(12), cuda, StringComparison.Ordinal),
            dnn => Assert.Contains(CudaLibraryNames.Dnn, dnn, StringComparison.Ordinal));
    }

    // The commonest mistake: the processor's package beside the GPU's, and its files win.
    [Fact]
    public void FindMissing_RuntimeOfTheProcessor_NamesThePackagesToTakeOut()
    {
        FakeMachine machine = FakeMachine.With(12);
        machine.Files.Remove(LibraryNames.FileName("onnxruntime_providers_cuda"));

        Assert.Contains("Take Microsoft.ML.OnnxRuntime", Assert.Single(CudaRequirements.FindMissing(machine, folder: null, deviceId: 0)), StringComparison.Ordinal);
    }

    // CUDA 13 is installed whole, and the package needs 12.
    [Fact]
    public void FindMissing_OtherMajorThanThePackage_SaysWhichItNeeds()
    {
        string missing = Assert.Single(CudaRequirements.FindMissing(FakeMachine.With(13), folder: null, deviceId: 0));

        Assert.StartsWith("CUDA 12: ", missing, StringComparison.Ordinal);
        Assert.Contains(CudaLibraryNames.Blas(12), missing, StringComparison.Ordinal);
        Assert.Contains("reference the version", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void FindMissing_NoPackageYet_EitherMajorServes()
    {
        FakeMachine machine = FakeMachine.With(12);
        machine.Files.Clear();

        Assert.StartsWith("ONNX Runtime GenAI", Assert.Single(CudaRequirements.FindMissing(machine, folder: null, deviceId: 0)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, "has 0")]
    [InlineData(100, 0, "error 100")]
    [InlineData(0, 2, null)]
    public void FindMissing_DeviceOne_TellsWhatTheDriverSays(int status, int count, string? named)
    {
        FakeMachine machine = FakeMachine.With(12);
        (machine.DriverStatus, machine.DeviceCount) = (status, count);

        IReadOnlyList<string> missing = CudaRequirements.FindMissing(machine, folder: null, deviceId: 1);

        Assert.Equal(named is null ? 0 : 1, missing.Count);
        Assert.All(missing, item => Assert.Contains(named!, item, StringComparison.Ordinal));
    }

    [Fact]
    public void FindMissing_OneLibraryOfCuda_NamesItAlone()
    {
        FakeMachine machine = FakeMachine.With(12);
        string[] libraries = CudaLibraryNames.OfMajor(12);
        machine.Libraries.Remove(libraries[3]);

        string missing = Assert.Single(CudaRequirements.FindMissing(machine, folder: null, deviceId: 0));

        Assert.Contains(libraries[3], missing, StringComparison.Ordinal);
        Assert.DoesNotContain(libraries[0], missing, StringComparison.Ordinal);
    }

    [Fact]
    public void FindMissing_FolderWithoutLibraries_FindsThemMissingThere()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("aries-cuda-");
        try
        {
            Assert.Contains(LibraryNames.GenAI, CudaRequirements.FindMissing(folder.FullName)[0], StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete();
        }
    }

    [Fact]
    public void FindMissing_NegativeDevice_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => CudaRequirements.FindMissing(deviceId: -1));
}
